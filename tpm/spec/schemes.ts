/**
 * Symmetric definitions and asymmetric schemes. TPM 2.0 Part 2, "Algorithm
 * Parameters and Structures".
 *
 * @module
 */

import { struct, tagged } from "../codec/struct.ts";
import { u16 } from "../codec/scalars.ts";
import { subset } from "../codec/names.ts";
import { TPM_ALG_ID, TPMI_ALG_HASH } from "./algorithms.ts";

/** Fields shared by every scheme that is only a hash: TPMS_SCHEME_HASH. */
const HASH_SCHEME = { hashAlg: TPMI_ALG_HASH } as const;
/** TPMS_SCHEME_ECDAA. */
const ECDAA_SCHEME = { hashAlg: TPMI_ALG_HASH, count: u16 } as const;
/** A block cipher's key size in bits and its mode. */
const BLOCK_CIPHER = {
  keyBits: u16,
  mode: subset("TPMI_ALG_SYM_MODE", TPM_ALG_ID, [
    "ctr",
    "ofb",
    "cbc",
    "cfb",
    "ecb",
    "null",
  ]),
} as const;

/** TPM 2.0 Part 2, TPMT_SYM_DEF: the cipher of a session. */
export const TPMT_SYM_DEF = tagged("TPMT_SYM_DEF", {
  fields: { algorithm: TPM_ALG_ID },
  on: "algorithm",
  arms: {
    aes: BLOCK_CIPHER,
    sm4: BLOCK_CIPHER,
    camellia: BLOCK_CIPHER,
    xor: { hashAlg: TPMI_ALG_HASH },
    null: {},
  },
});

/** TPM 2.0 Part 2, TPMT_SYM_DEF_OBJECT: the cipher of a storage key. */
export const TPMT_SYM_DEF_OBJECT = tagged("TPMT_SYM_DEF_OBJECT", {
  fields: { algorithm: TPM_ALG_ID },
  on: "algorithm",
  arms: {
    aes: BLOCK_CIPHER,
    sm4: BLOCK_CIPHER,
    camellia: BLOCK_CIPHER,
    null: {},
  },
});

/** TPM 2.0 Part 2, TPMT_SIG_SCHEME. */
export const TPMT_SIG_SCHEME = tagged("TPMT_SIG_SCHEME", {
  fields: { scheme: TPM_ALG_ID },
  on: "scheme",
  arms: {
    rsassa: HASH_SCHEME,
    rsapss: HASH_SCHEME,
    ecdsa: HASH_SCHEME,
    ecdaa: ECDAA_SCHEME,
    sm2: HASH_SCHEME,
    ecschnorr: HASH_SCHEME,
    hmac: HASH_SCHEME,
    null: {},
  },
});

/** TPM 2.0 Part 2, TPMT_RSA_SCHEME. */
export const TPMT_RSA_SCHEME = tagged("TPMT_RSA_SCHEME", {
  fields: { scheme: TPM_ALG_ID },
  on: "scheme",
  arms: {
    rsassa: HASH_SCHEME,
    rsapss: HASH_SCHEME,
    oaep: HASH_SCHEME,
    rsaes: {},
    null: {},
  },
});

/** TPM 2.0 Part 2, TPMT_ECC_SCHEME. */
export const TPMT_ECC_SCHEME = tagged("TPMT_ECC_SCHEME", {
  fields: { scheme: TPM_ALG_ID },
  on: "scheme",
  arms: {
    ecdsa: HASH_SCHEME,
    ecdaa: ECDAA_SCHEME,
    sm2: HASH_SCHEME,
    ecschnorr: HASH_SCHEME,
    ecdh: HASH_SCHEME,
    ecmqv: HASH_SCHEME,
    null: {},
  },
});

/** TPM 2.0 Part 2, TPMT_KDF_SCHEME. */
export const TPMT_KDF_SCHEME = tagged("TPMT_KDF_SCHEME", {
  fields: { scheme: TPM_ALG_ID },
  on: "scheme",
  arms: {
    mgf1: HASH_SCHEME,
    kdf1_sp800_56a: HASH_SCHEME,
    kdf2: HASH_SCHEME,
    kdf1_sp800_108: HASH_SCHEME,
    null: {},
  },
});

/** TPM 2.0 Part 2, TPMT_KEYEDHASH_SCHEME. */
export const TPMT_KEYEDHASH_SCHEME = tagged("TPMT_KEYEDHASH_SCHEME", {
  fields: { scheme: TPM_ALG_ID },
  on: "scheme",
  arms: {
    hmac: HASH_SCHEME,
    xor: { hashAlg: TPMI_ALG_HASH, kdf: TPM_ALG_ID },
    null: {},
  },
});

/** TPM 2.0 Part 2, TPMS_SYMCIPHER_PARMS. */
export const TPMS_SYMCIPHER_PARMS = struct("TPMS_SYMCIPHER_PARMS", {
  sym: TPMT_SYM_DEF_OBJECT,
});
