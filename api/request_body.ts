/**
 * Takes a request's body off the wire before anything answers, within bounds.
 *
 * It is read whole and at once because Deno 2.9.6 goes on decrypting and
 * keeping what arrives on a paused TLS connection: a body that nobody reads
 * would grow the process without limit while a quote is made.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";

/** Most bytes of a body that are taken for a request (contract section 5.1). */
export const BODY_LIMIT = 2_097_152;

/**
 * Most bytes that are read for the sake of a clean end, so that a client with
 * too large a body reads the refusal instead of a reset connection.
 */
export const DISCARD_LIMIT = 16 * 1024 * 1024;

/** How taking a body ended. */
export type BodyOutcome =
  /** All of it is there. */
  | "taken"
  /** It was over {@linkcode BODY_LIMIT}; read to its end, and cut. */
  | "cut"
  /** It is over {@linkcode DISCARD_LIMIT}, or the client says it will be. */
  | "endless"
  /** The client went away. */
  | "aborted";

/**
 * Reads the body of `incoming`, and leaves its first `BODY_LIMIT + 1` bytes
 * where `@hono/node-server` looks for a body that was read already: one byte
 * over the limit tells the route that it was too large.
 */
export function takeBody(incoming: IncomingMessage): Promise<BodyOutcome> {
  const { "content-length": length, "transfer-encoding": encoding } =
    incoming.headers;
  if (encoding === undefined && (length === undefined || length === "0")) {
    return Promise.resolve("taken");
  }
  if (Number(length) > DISCARD_LIMIT) return Promise.resolve("endless");
  return new Promise((resolve) => {
    const kept: Uint8Array[] = [];
    let room = BODY_LIMIT + 1;
    let received = 0;
    incoming.on("data", (chunk: Uint8Array) => {
      received += chunk.length;
      if (room > 0) kept.push(chunk.subarray(0, room));
      room -= Math.min(room, chunk.length);
      if (received > DISCARD_LIMIT) resolve("endless");
    });
    incoming.once("end", () => {
      Object.assign(incoming, { rawBody: Buffer.concat(kept) });
      resolve(received > BODY_LIMIT ? "cut" : "taken");
    });
    incoming.once("error", () => resolve("aborted"));
    incoming.once("close", () => resolve("aborted"));
  });
}
