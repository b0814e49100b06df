/**
 * Quotes and the logs that explain them: the agent's answers to a verifier
 * (contract sections 3.6, 5.6 and 5.7).
 *
 * @module
 */

import type { BootLog } from "../ima/boot_log.ts";
import type { MeasurementList } from "../ima/measurement_list.ts";
import {
  type Bytes,
  type ClockInfo,
  decode,
  digest,
  DIGEST_SIZES,
  type Entity,
  type Executor,
  extendedFromReset,
  extendPcr,
  PCR_COUNT,
  pcrSelection,
  Quote,
  readPcrs,
  resetPcr,
  type SigningScheme,
  type Tpm,
  TpmError,
  type TpmHash,
  TPMS_ATTEST,
  type TpmsAttest,
  type TypeOf,
  withPassword,
} from "../tpm/mod.ts";
import {
  type AttestationAlgorithms,
  type Attester,
  type IntegrityEvidence,
  type IntegrityRequest,
  NonceTooLongError,
} from "./attester.ts";
import { quoteText } from "./quote_text.ts";

/** The register that binds the payload key to every quote. */
const BINDING_PCR = 16;
/** The register that the kernel extends with each IMA entry. */
const IMA_PCR = 10;
/** The register whose quote asks for the measured-boot log. */
const BOOT_PCR = 0;

/** How often a quote is tried that no verifier would accept as it is. */
const MAX_ATTEMPTS = 5;

/** The TPM gave no quote that a verifier would accept. */
export class QuoteError extends Error {
  /** The class's name, also after bundling. */
  override readonly name = "QuoteError";
}

/** What the answers are made from. */
export interface AttestationOptions {
  /** The TPM. */
  readonly tpm: Tpm;
  /** The attestation key, loaded. */
  readonly ak: Entity;
  /** Agent id, as registered. */
  readonly uuid: string;
  /** Hash of the quotes, and the bank they are of. */
  readonly hash: TpmHash;
  /** Canonical name of the attestation key's type. */
  readonly keyType: string;
  /** Its signature scheme. */
  readonly scheme: SigningScheme;
  /** SubjectPublicKeyInfo of the payload key in PEM. */
  readonly payloadPublicKey: string;
  /** The kernel's measurement list. */
  readonly imaList: MeasurementList;
  /** The firmware's event log. */
  readonly bootLog: BootLog;
  /** Told of each quote that was made, and of what kept one from being made. */
  readonly onQuote?: (failure?: unknown) => void;
}

type Values = ReadonlyMap<number, Bytes>;

/** What TPM2_Quote returns. */
type SignedQuote = TypeOf<typeof Quote.response>;

/** {@linkcode Attester} on a TPM and the machine's logs. */
export class Attestation implements Attester {
  readonly uuid: string;
  readonly algorithms: AttestationAlgorithms;
  readonly akHandle: number;
  readonly payloadPublicKey: string;
  readonly #options: AttestationOptions;
  /** H(payload key), with which PCR 16 is extended. */
  readonly #binding: Bytes;
  /** What PCR 16 then holds. */
  readonly #bound: Bytes;
  #lastClock: ClockInfo | undefined;

  /** Answers from `options`. */
  constructor(options: AttestationOptions) {
    const { uuid, hash, keyType, scheme, payloadPublicKey, ak } = options;
    this.#options = options;
    this.uuid = uuid;
    this.algorithms = { hash, encryption: keyType, signing: scheme };
    this.akHandle = ak.handle;
    this.payloadPublicKey = payloadPublicKey;
    this.#binding = digest(hash, new TextEncoder().encode(payloadPublicKey));
    this.#bound = extendedFromReset(hash, this.#binding);
  }

  /** See {@linkcode Attester.identityQuote}. */
  identityQuote(nonce: string): Promise<string> {
    return this.#observed(this.#quote(nonce, [BINDING_PCR]));
  }

  /** See {@linkcode Attester.integrityEvidence}. */
  integrityEvidence(request: IntegrityRequest): Promise<IntegrityEvidence> {
    return this.#observed(this.#evidence(request));
  }

  /** `answer`, after telling what became of it. */
  async #observed<T>(answer: Promise<T>): Promise<T> {
    const { onQuote } = this.#options;
    try {
      const value = await answer;
      onQuote?.();
      return value;
    } catch (error) {
      // That one is the client's failure.
      if (!(error instanceof NonceTooLongError)) onQuote?.(error);
      throw error;
    }
  }

  async #evidence(
    { nonce, mask, imaEntry }: IntegrityRequest,
  ): Promise<IntegrityEvidence> {
    const pcrs = Array.from({ length: PCR_COUNT }, (_, pcr) => pcr)
      .filter((pcr) => mask >>> pcr & 1);
    const quote = await this.#quote(nonce, [
      ...new Set([...pcrs, BINDING_PCR]),
    ]);
    // After the quote: a verifier forgives entries that came later.
    const bootLog = pcrs.includes(BOOT_PCR)
      ? await this.#options.bootLog.read()
      : undefined;
    const imaList = pcrs.includes(IMA_PCR)
      ? await this.#options.imaList.read(imaEntry)
      : undefined;
    return {
      quote,
      ...(bootLog === undefined ? {} : { bootLog }),
      ...(imaList === undefined ? {} : { imaList }),
    };
  }

  /** A quote over `pcrs`, in one turn at the TPM. */
  async #quote(nonce: string, pcrs: readonly number[]): Promise<string> {
    const { tpm, hash } = this.#options;
    const qualifyingData = new TextEncoder().encode(nonce);
    return await tpm.exclusive(async (leased) => {
      let trouble: string | undefined;
      for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
        const values = await this.#bindAndRead(leased, pcrs);
        const { quoted, signature } = await this.#sign(
          leased,
          qualifyingData,
          pcrs,
        );
        trouble = this.#troubleWith(decode(TPMS_ATTEST, quoted), values);
        if (trouble === undefined) {
          return quoteText({ quoted, signature, hash, values });
        }
      }
      const list = pcrs.join(", ");
      throw new QuoteError(
        `No good quote over PCR ${list} in ${MAX_ATTEMPTS} attempts: ${trouble}`,
      );
    });
  }

  /**
   * The values of `pcrs`, after making sure that PCR 16 holds the payload key
   * and nothing else. Whatever another program does to it between here and the
   * quote shows in the quote's digest.
   */
  async #bindAndRead(
    leased: Executor,
    pcrs: readonly number[],
  ): Promise<Values> {
    const { hash } = this.#options;
    const values = new Map(await readPcrs(leased, hash, pcrs));
    const present = values.get(BINDING_PCR);
    if (present !== undefined && isEqual(present, this.#bound)) return values;
    const isReset = present !== undefined &&
      isEqual(present, new Uint8Array(DIGEST_SIZES[hash]));
    if (!isReset) await resetPcr(leased, BINDING_PCR);
    await extendPcr(leased, BINDING_PCR, [{
      hashAlg: hash,
      digest: this.#binding,
    }]);
    return values.set(BINDING_PCR, this.#bound);
  }

  async #sign(
    leased: Executor,
    qualifyingData: Bytes,
    pcrs: readonly number[],
  ): Promise<SignedQuote> {
    const { ak, scheme, hash } = this.#options;
    try {
      return await leased.execute(Quote, {
        signHandle: withPassword(ak),
        qualifyingData,
        inScheme: { scheme, hashAlg: hash },
        pcrSelect: pcrSelection(hash, pcrs),
      });
    } catch (error) {
      const isTooLong = error instanceof TpmError &&
        error.is("TPM_RC_SIZE") && error.code.subject?.number === 1;
      if (!isTooLong) throw error;
      throw new NonceTooLongError(qualifyingData.length);
    }
  }

  /**
   * What keeps a verifier from accepting `attest`, if anything: it must be
   * about `values`, and later than the last quote by the TPM's own clock.
   */
  #troubleWith(attest: TpmsAttest, values: Values): string | undefined {
    const { hash } = this.#options;
    const isAboutValues = attest.type === "attestQuote" &&
      isEqual(attest.pcrDigest, digest(hash, ...values.values()));
    if (!isAboutValues) return "PCR values changed under each of them";
    const last = this.#lastClock;
    const { clockInfo } = attest;
    const isLater = last === undefined || clockInfo.clock > last.clock ||
      clockInfo.resetCount !== last.resetCount ||
      clockInfo.restartCount !== last.restartCount;
    if (!isLater) return "the TPM's clock stood still";
    this.#lastClock = clockInfo;
    return undefined;
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
