/**
 * Opens the payload with the key that both shares gave (contract section 8.1).
 *
 * @module
 */

import { PayloadError } from "./error.ts";
import type { Secret } from "./secret.ts";

const IV_SIZE = 16;
const TAG_SIZE = 16;

/**
 * The plain payload.
 *
 * @param sealed IV of 16 bytes, AES-GCM ciphertext, tag of 16 bytes
 * @param key 16 or 32 bytes, which say whether it is AES-128 or AES-256
 * @throws {PayloadError} when `sealed` is too short, was altered, or was made
 * with another key
 */
export async function decryptPayload(
  sealed: Uint8Array<ArrayBuffer>,
  key: Secret,
): Promise<Uint8Array<ArrayBuffer>> {
  if (sealed.length < IV_SIZE + TAG_SIZE) {
    throw new PayloadError(
      "decryption",
      `The payload has ${sealed.length} bytes, fewer than the ` +
        `${IV_SIZE + TAG_SIZE} of its initialization vector and tag`,
    );
  }
  const imported = await key.use((bytes) =>
    crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["decrypt"])
  );
  try {
    const plain = await crypto.subtle.decrypt(
      { name: "AES-GCM", iv: sealed.subarray(0, IV_SIZE) },
      imported,
      sealed.subarray(IV_SIZE),
    );
    return new Uint8Array(plain);
  } catch (cause) {
    throw new PayloadError(
      "decryption",
      "The payload does not decrypt with the key that came with it: it was " +
        "altered on the way, or encrypted with another key",
      { cause },
    );
  }
}
