/**
 * Key derivation. TPM 2.0 Part 1, "Key Derivation Functions".
 *
 * @module
 */

import type { Bytes } from "../codec/buffer.ts";
import { encode } from "../codec/codec.ts";
import { u32 } from "../codec/scalars.ts";
import { digest, hmac } from "../crypto.ts";
import { DIGEST_SIZES, type TpmHash } from "../spec/algorithms.ts";

/** What both key derivation functions take beside their key. */
export interface KdfInput {
  /** The hash that the function is built on. */
  readonly hash: TpmHash;
  /** Its use, in ASCII, without the final zero. */
  readonly label: string;
  /** contextU, or PartyUInfo. */
  readonly contextU: Bytes;
  /** contextV, or PartyVInfo. */
  readonly contextV: Bytes;
  /** How many bits are wanted. */
  readonly bits: number;
}

/** `label` as hashed: ASCII with a final zero. */
export function labelBytes(label: string): Bytes {
  return new TextEncoder().encode(`${label}\0`);
}

function derive(
  { hash, bits }: KdfInput,
  block: (counter: Bytes) => Bytes,
): Bytes {
  const size = Math.ceil(bits / 8);
  const count = Math.ceil(size / DIGEST_SIZES[hash]);
  const out = new Uint8Array(count * DIGEST_SIZES[hash]);
  for (let index = 0; index < count; index++) {
    out.set(block(encode(u32, index + 1)), index * DIGEST_SIZES[hash]);
  }
  const key = out.slice(0, size);
  const excess = size * 8 - bits;
  if (excess > 0 && key[0] !== undefined) key[0] &= 0xff >>> excess;
  return key;
}

/** KDFa: SP800-108 in counter mode with HMAC. */
export function kdfa(key: Bytes, input: KdfInput): Bytes {
  const { hash, label, contextU, contextV, bits } = input;
  return derive(input, (counter) =>
    hmac(
      hash,
      key,
      counter,
      labelBytes(label),
      contextU,
      contextV,
      encode(u32, bits),
    ));
}

/** KDFe: SP800-56A's one-step derivation from an ECDH secret `z`. */
export function kdfe(z: Bytes, input: KdfInput): Bytes {
  const { hash, label, contextU, contextV } = input;
  return derive(
    input,
    (counter) =>
      digest(hash, counter, z, labelBytes(label), contextU, contextV),
  );
}
