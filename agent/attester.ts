/**
 * What the HTTP API asks of the agent: who it is, and evidence about the
 * machine. The API knows nothing of the TPM behind it.
 *
 * @module
 */

/** Names of the algorithms behind a quote, as Keylime spells them. */
export interface AttestationAlgorithms {
  /** Hash of the quote and of the PCR bank: `sha256`, `sha384`, … */
  readonly hash: string;
  /** Attestation key with its size, always the long form: `rsa2048`, `ecc256`, … */
  readonly encryption: string;
  /** Signature scheme of the quote: `rsassa`, `ecdsa`, … */
  readonly signing: string;
}

/** What an integrity quote is to cover. */
export interface IntegrityRequest {
  /** Alphanumeric text, signed as qualifying data (UTF-8). */
  readonly nonce: string;
  /** PCRs to quote: bit n selects PCR n, n in 0-23. The agent adds PCR 16. */
  readonly mask: number;
  /** Index of the first wanted IMA entry; 0, or beyond the end, is the whole list. */
  readonly imaEntry: number;
}

/** The part of the IMA measurement list that answers a request. */
export interface ImaList {
  /**
   * The kernel's ASCII lines, unchanged. Many of them are a stream, which must
   * be read to its end or cancelled.
   */
  readonly text: string | ReadableStream<string>;
  /** Index of the first entry in `text`: the requested one, or 0. */
  readonly entry: number;
}

/** A quote and the logs that explain its PCR values. */
export interface IntegrityEvidence {
  /** Keylime quote text (contract section 3.6). */
  readonly quote: string;
  /** Measured boot log in Base64; absent unless PCR 0 is quoted and the log exists. */
  readonly bootLog?: string;
  /** IMA measurement list; absent when the machine has none. */
  readonly imaList?: ImaList;
}

/** The agent, as its HTTP API sees it. */
export interface Attester {
  /** Agent id, as registered. */
  readonly uuid: string;
  /** Algorithms of the attestation key and its quotes. */
  readonly algorithms: AttestationAlgorithms;
  /** TPM handle of the attestation key. */
  readonly akHandle: number;
  /**
   * Public half of the payload key: SubjectPublicKeyInfo in PEM. Verifiers
   * hash this very text into PCR 16, so it never changes in a process.
   */
  readonly payloadPublicKey: string;
  /**
   * A Keylime quote (contract section 3.6) of PCR 16 alone over `nonce`.
   *
   * @throws {NonceTooLongError} if the TPM takes no qualifying data that long
   */
  identityQuote(nonce: string): Promise<string>;
  /**
   * A quote and its logs, the logs read after the quote was made: a verifier
   * forgives entries newer than the quote, never missing ones.
   *
   * @throws {NonceTooLongError} if the TPM takes no qualifying data that long
   */
  integrityEvidence(request: IntegrityRequest): Promise<IntegrityEvidence>;
}

/** The nonce of a request is longer than this TPM accepts as qualifying data. */
export class NonceTooLongError extends RangeError {
  /** Tells this class from others in a log. */
  override readonly name = "NonceTooLongError";
  /** Length of the nonce in bytes. */
  readonly length: number;

  /** The refusal of a nonce of `length` bytes. */
  constructor(length: number) {
    super(
      `Nonce has ${length} bytes, more than this TPM accepts as qualifying data`,
    );
    this.length = length;
  }
}
