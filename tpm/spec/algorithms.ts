/**
 * Algorithm identifiers. Values are the names that tpm2-tools prints; the
 * numbers are those of the TCG Algorithm Registry.
 *
 * @module
 */

import { names, subset } from "../codec/names.ts";
import { u16 } from "../codec/scalars.ts";

/** TPM 2.0 Part 2, TPM_ALG_ID. */
export const TPM_ALG_ID = names("TPM_ALG_ID", u16, {
  rsa: 0x0001,
  tdes: 0x0003,
  sha1: 0x0004,
  hmac: 0x0005,
  aes: 0x0006,
  mgf1: 0x0007,
  keyedhash: 0x0008,
  xor: 0x000a,
  sha256: 0x000b,
  sha384: 0x000c,
  sha512: 0x000d,
  sha256_192: 0x000e,
  null: 0x0010,
  sm3_256: 0x0012,
  sm4: 0x0013,
  rsassa: 0x0014,
  rsaes: 0x0015,
  rsapss: 0x0016,
  oaep: 0x0017,
  ecdsa: 0x0018,
  ecdh: 0x0019,
  ecdaa: 0x001a,
  sm2: 0x001b,
  ecschnorr: 0x001c,
  ecmqv: 0x001d,
  kdf1_sp800_56a: 0x0020,
  kdf2: 0x0021,
  kdf1_sp800_108: 0x0022,
  ecc: 0x0023,
  symcipher: 0x0025,
  camellia: 0x0026,
  sha3_256: 0x0027,
  sha3_384: 0x0028,
  sha3_512: 0x0029,
  cmac: 0x003f,
  ctr: 0x0040,
  ofb: 0x0041,
  cbc: 0x0042,
  cfb: 0x0043,
  ecb: 0x0044,
});

/** TPM 2.0 Part 2, TPMI_ALG_HASH, without TPM_ALG_NULL. */
export const TPMI_ALG_HASH = subset("TPMI_ALG_HASH", TPM_ALG_ID, [
  "sha1",
  "sha256",
  "sha384",
  "sha512",
  "sm3_256",
  "sha3_256",
  "sha3_384",
  "sha3_512",
]);

/** TPM 2.0 Part 2, TPMI_ALG_HASH+: a hash, or none. */
export const TPMI_ALG_HASH_OR_NULL = subset("TPMI_ALG_HASH", TPM_ALG_ID, [
  "sha1",
  "sha256",
  "sha384",
  "sha512",
  "sm3_256",
  "sha3_256",
  "sha3_384",
  "sha3_512",
  "null",
]);

/** TPM 2.0 Part 2, TPM_ECC_CURVE. */
export const TPM_ECC_CURVE = names("TPM_ECC_CURVE", u16, {
  none: 0x0000,
  nist_p192: 0x0001,
  nist_p224: 0x0002,
  nist_p256: 0x0003,
  nist_p384: 0x0004,
  nist_p521: 0x0005,
  bn_p256: 0x0010,
  bn_p638: 0x0011,
  sm2_p256: 0x0020,
});

/** A hash algorithm that a TPM may have. */
export type TpmHash = ReturnType<typeof TPMI_ALG_HASH.read>;

/** Bytes in a digest of each {@linkcode TpmHash}. */
export const DIGEST_SIZES: { readonly [H in TpmHash]: number } = {
  sha1: 20,
  sha256: 32,
  sha384: 48,
  sha512: 64,
  sm3_256: 32,
  sha3_256: 32,
  sha3_384: 48,
  sha3_512: 64,
};
