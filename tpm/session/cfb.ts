/**
 * AES in cipher feedback mode (NIST SP 800-38A, 128-bit segments), which
 * neither WebCrypto nor Deno's node:crypto has.
 *
 * @module
 */

import type { Bytes } from "../codec/buffer.ts";
import { encryptBlock } from "../crypto.ts";

/** AES's block size in bytes. */
export const AES_BLOCK = 16;

function cfb(
  direction: "encrypt" | "decrypt",
  { key, iv }: { readonly key: Bytes; readonly iv: Bytes },
  input: Bytes,
): Bytes {
  const output = new Uint8Array(input.length);
  let feedback: Uint8Array = iv;
  for (let at = 0; at < input.length; at += AES_BLOCK) {
    const pad = encryptBlock(key, feedback);
    const block = input.subarray(at, at + AES_BLOCK);
    block.forEach((byte, index) => {
      output[at + index] = byte ^ (pad[index] ?? 0);
    });
    feedback = direction === "encrypt"
      ? output.subarray(at, at + AES_BLOCK)
      : block;
  }
  return output;
}

/** `plain` under AES-CFB; any length, and the result is as long. */
export function encryptCfb(
  keys: { readonly key: Bytes; readonly iv: Bytes },
  plain: Bytes,
): Bytes {
  return cfb("encrypt", keys, plain);
}

/** What {@linkcode encryptCfb} made `cipherText` from. */
export function decryptCfb(
  keys: { readonly key: Bytes; readonly iv: Bytes },
  cipherText: Bytes,
): Bytes {
  return cfb("decrypt", keys, cipherText);
}
