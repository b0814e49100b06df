/**
 * Seals payloads as the tenant does.
 *
 * @module
 */

import { createCipheriv } from "node:crypto";
import type { SealedPayload } from "../../payload/delivery.ts";
import { Secret } from "../../payload/secret.ts";

/** Bytes for a key that tests recognise in a file. */
export const KEY: Uint8Array<ArrayBuffer> = new TextEncoder().encode(
  "0123456789abcdef0123456789ABCDEF",
);

/** `plain`, sealed with {@linkcode KEY} unless told. */
export function sealed(
  plain: Uint8Array | string,
  key: Uint8Array<ArrayBuffer> = KEY,
): SealedPayload {
  const iv = crypto.getRandomValues(new Uint8Array(16));
  const cipher = createCipheriv("aes-256-gcm", key, iv);
  const body = cipher.update(plain);
  cipher.final();
  const payload = new Uint8Array([...iv, ...body, ...cipher.getAuthTag()]);
  return { key: new Secret(key.slice()), payload };
}
