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

/** A text of an answer that comes piece by piece. */
export interface StreamedText {
  /** Which of the results it is. */
  readonly name: string;
  /** Its pieces. */
  readonly stream: ReadableStream<string>;
  /** Must cut the connection: the stream failed, and the answer is half. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * The answer 200 `Success` with `results`, in which the text takes the place of
 * what its name has there. Its pieces go out as they come, so the answer has no
 * Content-Length.
 */
export function streamedSuccess(
  results: Readonly<Record<string, unknown>>,
  { name, stream, onFailure }: StreamedText,
): Response {
  const whole = envelopeText(200, "Success", { ...results, [name]: "" });
  const at = whole.indexOf(`"${name}":""`) + name.length + 4;
  const encoder = new TextEncoder();
  const reader = stream.getReader();
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (controller) =>
      controller.enqueue(encoder.encode(whole.slice(0, at))),
    pull: async (controller) => {
      try {
        const { done, value } = await reader.read();
        const json = done
          ? whole.slice(at)
          : JSON.stringify(value).slice(1, -1);
        controller.enqueue(encoder.encode(json));
        if (done) controller.close();
      } catch (error) {
        onFailure(error);
        controller.close();
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return new Response(body, {
    headers: { "Content-Type": "application/json" },
  });
}
