/**
 * An attester on a software TPM, with log files of its own.
 *
 * @module
 */

import type { KeyObject } from "node:crypto";
import { Attestation } from "../../../agent/attestation.ts";
import { EndorsementKey } from "../../../agent/endorsement_key.ts";
import { BootLog } from "../../../ima/boot_log.ts";
import { MeasurementList } from "../../../ima/measurement_list.ts";
import {
  akTemplate,
  create,
  type KeyType,
  load,
  publicKeyOf,
  type SigningScheme,
  type TpmHash,
} from "../../../tpm/mod.ts";
import { BareTpm, codeOf } from "./bare_tpm.ts";
import { type VerifiedQuote, verifyQuote } from "./verified_quote.ts";

/** The key that the quotes are bound to. */
export const PAYLOAD_KEY =
  "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";

/** What the attester's key is. */
export interface LabAlgorithms {
  readonly keyType: KeyType;
  readonly scheme: SigningScheme;
  readonly hash: TpmHash;
}

const DEFAULT: LabAlgorithms = {
  keyType: "ecc256",
  scheme: "ecdsa",
  hash: "sha256",
};

/** An attester, its TPM, and what a verifier trusts. */
export class AttestationLab implements AsyncDisposable {
  readonly bare: BareTpm;
  readonly attester: Attestation;
  /** The attestation key, for a verifier. */
  readonly key: KeyObject;
  readonly hash: TpmHash;
  /** Failures of all quotes that were observed; undefined for a good one. */
  readonly outcomes: readonly unknown[];
  readonly #opened: AsyncDisposableStack;

  private constructor(
    parts: Pick<
      AttestationLab,
      "bare" | "attester" | "key" | "hash" | "outcomes"
    >,
    opened: AsyncDisposableStack,
  ) {
    this.bare = parts.bare;
    this.attester = parts.attester;
    this.key = parts.key;
    this.hash = parts.hash;
    this.outcomes = parts.outcomes;
    this.#opened = opened;
  }

  /** Sets one up; the logs are there if `files` has them. */
  static async make(
    { algorithms = DEFAULT, files = {} }: {
      readonly algorithms?: LabAlgorithms;
      readonly files?: Readonly<Record<string, string | Uint8Array>>;
    } = {},
  ): Promise<AttestationLab> {
    await using opened = new AsyncDisposableStack();
    const bare = opened.use(await BareTpm.make());
    for (const [name, content] of Object.entries(files)) {
      const bytes = typeof content === "string"
        ? new TextEncoder().encode(content)
        : content;
      await Deno.writeFile(bare.path(name), bytes);
    }
    const { keyType, scheme, hash } = algorithms;
    const { tpm } = bare;
    await using ek = await EndorsementKey.open(tpm, {
      keyType,
      persistentHandle: undefined,
      hierarchyAuth: new Uint8Array(),
    });
    const made = await ek.use(
      tpm,
      (parent) => create(tpm, parent, akTemplate(keyType, scheme, hash)),
    );
    const ak = opened.use(
      await ek.use(tpm, (parent) => load(tpm, parent, made)),
    );
    const outcomes: unknown[] = [];
    const attester = new Attestation({
      tpm,
      ak,
      uuid: "d432fbb3-d2f1-4a97-9ef7-75bd81c00000",
      hash,
      keyType,
      scheme,
      payloadPublicKey: PAYLOAD_KEY,
      imaList: opened.use(await MeasurementList.open(bare.path("ima"))),
      bootLog: opened.use(await BootLog.open(bare.path("boot"))),
      onQuote: (failure) => outcomes.push(failure),
    });
    const key = publicKeyOf(ak.publicArea);
    return new AttestationLab(
      { bare, attester, key, hash, outcomes },
      opened.move(),
    );
  }

  /** What a verifier finds in `quote`. */
  verified(quote: string): VerifiedQuote {
    return verifyQuote(quote, { key: this.key, hash: this.hash });
  }

  /**
   * Sends `interlude` right after the next command with that code, before any
   * other of the agent's.
   */
  afterNext(commandCode: number, interlude: Uint8Array): void {
    this.bare.mux.record = ({ command }) => {
      if (codeOf(command) !== commandCode) return;
      this.bare.mux.record = undefined;
      void this.bare.mux.transmit(interlude);
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.bare.mux.intercept = undefined;
    await this.#opened.disposeAsync();
  }
}

/** Codes of the commands that quoting takes. */
export const CODES = { pcrRead: 0x17e, pcrExtend: 0x182, quote: 0x158 };

/** TPM2_PCR_Extend of register `pcr` in the SHA-256 bank, any digest. */
export function extendCommand(pcr: number): Uint8Array {
  const register = pcr.toString(16).padStart(8, "0");
  return Uint8Array.fromHex(
    `80020000004100000182${register}00000009` +
      `40000009000000000000000001000b${"5a".repeat(32)}`,
  );
}

/** TPM2_PCR_Reset of register 16. */
export const RESET_COMMAND = Uint8Array.fromHex(
  "80020000001b0000013d0000001000000009400000090000000000",
);
