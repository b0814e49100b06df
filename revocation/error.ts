/**
 * Why a revocation is not acted on.
 *
 * @module
 */

/** What is wrong, in one word for programs. */
export type RevocationProblem =
  /** There is no certificate that fits the purpose. */
  | "certificate"
  /** The signature is not one by the certificate's key over the message. */
  | "signature"
  /** The message is too large, no JSON, or no JSON object. */
  | "message"
  /** The message is of a type that means nothing to an agent. */
  | "type"
  /** An action cannot be run, or failed. */
  | "action";

/**
 * A revocation message, or an action on one, that failed. The message is for
 * the administrator and holds nothing raw from outside.
 */
export class RevocationError extends Error {
  /** Tells this class from others in a log. */
  override readonly name = "RevocationError";
  /** What is wrong. */
  readonly problem: RevocationProblem;

  /**
   * A failure because of `problem`.
   *
   * @param options the cause, for the log
   */
  constructor(
    problem: RevocationProblem,
    message: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super(message, options);
    this.problem = problem;
  }
}
