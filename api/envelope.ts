/**
 * The JSON envelope of every answer (contract section 5.1).
 *
 * @module
 */

/**
 * The body `{"code":…,"status":…,"results":…}`: compact, in this key order.
 * Keys of `results` that are undefined are left out.
 */
export function envelopeText(
  code: number,
  status: string,
  results: unknown,
): string {
  return JSON.stringify({ code, status, results });
}

/** An answer in the envelope, whose HTTP status is `code`. */
export function envelope(
  code: number,
  status: string,
  results: unknown,
): Response {
  return new Response(envelopeText(code, status, results), {
    status: code,
    headers: { "Content-Type": "application/json" },
  });
}

/** The answer 200 `Success` with `results`. */
export function success(results: unknown): Response {
  return envelope(200, "Success", results);
}
