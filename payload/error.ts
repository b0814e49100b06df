/**
 * Why a payload is refused.
 *
 * @module
 */

/** What is wrong with a delivery, in one word for programs. */
export type PayloadProblem =
  /** A share, a tag or a payload that cannot be what the tenant made. */
  | "share"
  /** The payload does not decrypt with the key. */
  | "decryption"
  /** The payload is no zip file, or a damaged one. */
  | "archive"
  /** The zip file holds something that is not unpacked. */
  | "entry"
  /** The payload does not fit. */
  | "size"
  /** An option makes the delivery impossible. */
  | "option"
  /** There is no place that is fit for a secret. */
  | "mount";

/**
 * A payload, or a part of one, that the agent refuses. The message is for the
 * administrator; it never holds anything secret or raw from outside.
 */
export class PayloadError extends Error {
  /** Tells this class from others in a log. */
  override readonly name = "PayloadError";
  /** What is wrong. */
  readonly problem: PayloadProblem;

  /**
   * Says what is wrong in a word and in a sentence.
   *
   * @param options the cause, for the log
   */
  constructor(
    problem: PayloadProblem,
    message: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super(message, options);
    this.problem = problem;
  }
}
