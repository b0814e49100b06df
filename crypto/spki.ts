/**
 * Public keys as SubjectPublicKeyInfo in PEM, byte for byte what OpenSSL
 * prints: the verifier hashes this text, so it may never look different.
 *
 * @module
 */

import { createHash, createPublicKey, KeyObject } from "node:crypto";

/** The public half of `key`, or `key` itself if it is public. */
export function spkiPem(key: KeyObject): string {
  const publicKey = key.type === "public" ? key : createPublicKey(key);
  return publicKey.export({ type: "spki", format: "pem" }).toString();
}

/**
 * The EK hash, and agent id for `uuid = "hash_ek"`: SHA-256 of the PEM text of
 * the endorsement key in lower-case hex (contract section 3.2).
 */
export function ekHash(pem: string): string {
  return createHash("sha256").update(pem).digest("hex");
}
