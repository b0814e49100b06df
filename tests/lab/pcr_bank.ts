/**
 * PCR banks as logs and boots know them. Apart from the agent's own TPM code,
 * so that one can judge the other.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** Digest sizes in bytes by bank. */
export const DIGEST_SIZES = {
  sha1: 20,
  sha256: 32,
  sha384: 48,
  sha512: 64,
} as const;

/** A PCR bank, in tpm2-tools' spelling. */
export type Bank = keyof typeof DIGEST_SIZES;

/** All banks that the lab's TPMs can have. */
export const ALL_BANKS: readonly Bank[] = [
  "sha1",
  "sha256",
  "sha384",
  "sha512",
];

/** The bytes of a digest or PCR. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Extends a PCR in several banks at once, as TPM2_PCR_Extend does. */
export type ExtendPcr = (
  pcr: number,
  digests: ReadonlyMap<Bank, Bytes>,
) => Promise<void>;

/** The digest of `parts`, one after the other. */
export function digestOf(
  bank: Bank,
  ...parts: readonly (string | Uint8Array)[]
): Bytes {
  const hash = createHash(bank);
  for (const part of parts) hash.update(part);
  return Uint8Array.from(hash.digest());
}

/** A PCR of that bank with every byte the same: zeros unless told. */
export function filledPcr(bank: Bank, byte = 0): Bytes {
  return new Uint8Array(DIGEST_SIZES[bank]).fill(byte);
}
