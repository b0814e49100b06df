/**
 * Failures that a client is told about, and the one place that turns any
 * failure into an answer.
 *
 * @module
 */

import { NonceTooLongError } from "../agent/attester.ts";
import { envelope } from "./envelope.ts";

/**
 * Refusal or failure of a request; the message goes to the client as the
 * envelope's `status`, the cause only to the log.
 *
 * There is no 503 or 429 here: a verifier retries a 500 and gives an agent up
 * for good over those (contract section 11).
 */
export class ApiError extends Error {
  /** Tells this class from others in a log. */
  override readonly name = "ApiError";
  /** HTTP status. */
  readonly code: 400 | 405 | 500;
  /** Value of the `Allow` header, for a 405. */
  readonly allow: string | undefined;

  /**
   * A refusal or failure with HTTP status `code`.
   *
   * @param message for the client; bounded, without secrets
   * @param options what to log as the cause, and the methods of a 405
   */
  constructor(
    code: 400 | 405 | 500,
    message: string,
    options: { readonly cause?: unknown; readonly allow?: string } = {},
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.allow = options.allow;
  }
}

/**
 * A registered path was asked with a method it has not. Its 405 has an empty
 * body instead of the envelope (contract section 5.2).
 */
export class WrongMethodError extends Error {
  /** Tells this class from others in a log. */
  override readonly name = "WrongMethodError";
  /** The method that is registered. */
  readonly allow: string;

  /** The client used `method` where only `allow` is registered. */
  constructor(method: string, allow: string) {
    super(`Method ${method} is not ${allow}`);
    this.allow = allow;
  }
}

/** The answer that a client gets for `error`. */
export function answerTo(error: unknown): Response {
  if (error instanceof WrongMethodError) {
    return new Response(null, {
      status: 405,
      headers: { "Allow": error.allow, "Content-Length": "0" },
    });
  }
  if (error instanceof NonceTooLongError) {
    return envelope(400, `Nonce is too long for this TPM: ${error.length}`, {});
  }
  if (error instanceof ApiError) {
    const response = envelope(error.code, error.message, {});
    if (error.allow !== undefined) response.headers.set("Allow", error.allow);
    return response;
  }
  return envelope(500, "Internal server error", {});
}
