/**
 * Public and sensitive areas of objects. TPM 2.0 Part 2, "Key/Object
 * Complex".
 *
 * @module
 */

import { attributes } from "../codec/attributes.ts";
import { buffer, optionalSized, sized } from "../codec/buffer.ts";
import type { TypeOf } from "../codec/codec.ts";
import { u16, u32 } from "../codec/scalars.ts";
import { struct, tagged } from "../codec/struct.ts";
import {
  TPM_ALG_ID,
  TPM_ECC_CURVE,
  TPMI_ALG_HASH_OR_NULL,
} from "./algorithms.ts";
import {
  TPM2B_AUTH,
  TPM2B_DIGEST,
  TPM2B_ECC_PARAMETER,
  TPM2B_PRIVATE_KEY_RSA,
  TPM2B_PUBLIC_KEY_RSA,
  TPM2B_SENSITIVE_DATA,
} from "./buffers.ts";
import {
  TPMS_SYMCIPHER_PARMS,
  TPMT_ECC_SCHEME,
  TPMT_KDF_SCHEME,
  TPMT_KEYEDHASH_SCHEME,
  TPMT_RSA_SCHEME,
  TPMT_SYM_DEF_OBJECT,
} from "./schemes.ts";

/** TPM 2.0 Part 2, TPMA_OBJECT. */
export const TPMA_OBJECT = attributes("TPMA_OBJECT", u32, {
  fixedTPM: 1,
  stClear: 2,
  fixedParent: 4,
  sensitiveDataOrigin: 5,
  userWithAuth: 6,
  adminWithPolicy: 7,
  firmwareLimited: 8,
  svnLimited: 9,
  noDA: 10,
  encryptedDuplication: 11,
  restricted: 16,
  decrypt: 17,
  sign: 18,
  x509sign: 19,
});

/** TPM 2.0 Part 2, TPMS_RSA_PARMS. */
export const TPMS_RSA_PARMS = struct("TPMS_RSA_PARMS", {
  symmetric: TPMT_SYM_DEF_OBJECT,
  scheme: TPMT_RSA_SCHEME,
  keyBits: u16,
  exponent: u32,
});

/** TPM 2.0 Part 2, TPMS_ECC_PARMS. */
export const TPMS_ECC_PARMS = struct("TPMS_ECC_PARMS", {
  symmetric: TPMT_SYM_DEF_OBJECT,
  scheme: TPMT_ECC_SCHEME,
  curveID: TPM_ECC_CURVE,
  kdf: TPMT_KDF_SCHEME,
});

/** TPM 2.0 Part 2, TPMS_ECC_POINT. */
export const TPMS_ECC_POINT = struct("TPMS_ECC_POINT", {
  x: TPM2B_ECC_PARAMETER,
  y: TPM2B_ECC_PARAMETER,
});

/** TPM 2.0 Part 2, TPM2B_ECC_POINT. */
export const TPM2B_ECC_POINT = sized("TPM2B_ECC_POINT", TPMS_ECC_POINT);

/** TPM 2.0 Part 2, TPMS_KEYEDHASH_PARMS. */
export const TPMS_KEYEDHASH_PARMS = struct("TPMS_KEYEDHASH_PARMS", {
  scheme: TPMT_KEYEDHASH_SCHEME,
});

/**
 * Public area of an object; its hash is the object's Name. TPM 2.0 Part 2,
 * TPMT_PUBLIC.
 */
export const TPMT_PUBLIC = tagged("TPMT_PUBLIC", {
  fields: {
    type: TPM_ALG_ID,
    nameAlg: TPMI_ALG_HASH_OR_NULL,
    objectAttributes: TPMA_OBJECT,
    authPolicy: TPM2B_DIGEST,
  },
  on: "type",
  arms: {
    rsa: { parameters: TPMS_RSA_PARMS, unique: TPM2B_PUBLIC_KEY_RSA },
    ecc: { parameters: TPMS_ECC_PARMS, unique: TPMS_ECC_POINT },
    keyedhash: { parameters: TPMS_KEYEDHASH_PARMS, unique: TPM2B_DIGEST },
    symcipher: { parameters: TPMS_SYMCIPHER_PARMS, unique: TPM2B_DIGEST },
  },
});

/** The value of a {@linkcode TPMT_PUBLIC}. */
export type TpmtPublic = TypeOf<typeof TPMT_PUBLIC>;

/** TPM 2.0 Part 2, TPM2B_PUBLIC. */
export const TPM2B_PUBLIC = sized("TPM2B_PUBLIC", TPMT_PUBLIC);

/** TPM 2.0 Part 2, TPM2B_TEMPLATE: a TPMT_PUBLIC as bytes. */
export const TPM2B_TEMPLATE = buffer("TPM2B_TEMPLATE", 1024);

/** TPM 2.0 Part 2, TPMS_SENSITIVE_CREATE. */
export const TPMS_SENSITIVE_CREATE = struct("TPMS_SENSITIVE_CREATE", {
  userAuth: TPM2B_AUTH,
  data: TPM2B_SENSITIVE_DATA,
});

/** TPM 2.0 Part 2, TPM2B_SENSITIVE_CREATE. */
export const TPM2B_SENSITIVE_CREATE = sized(
  "TPM2B_SENSITIVE_CREATE",
  TPMS_SENSITIVE_CREATE,
);

const SENSITIVE_COMMON = {
  sensitiveType: TPM_ALG_ID,
  authValue: TPM2B_AUTH,
  seedValue: TPM2B_DIGEST,
} as const;

/** TPM 2.0 Part 2, TPMT_SENSITIVE. */
export const TPMT_SENSITIVE = tagged("TPMT_SENSITIVE", {
  fields: SENSITIVE_COMMON,
  on: "sensitiveType",
  arms: {
    rsa: { sensitive: TPM2B_PRIVATE_KEY_RSA },
    ecc: { sensitive: TPM2B_ECC_PARAMETER },
    keyedhash: { sensitive: TPM2B_SENSITIVE_DATA },
    symcipher: { sensitive: TPM2B_SENSITIVE_DATA },
  },
});

/** TPM 2.0 Part 2, TPM2B_SENSITIVE; empty when only a public area is loaded. */
export const TPM2B_SENSITIVE = optionalSized("TPM2B_SENSITIVE", TPMT_SENSITIVE);

/** TPM 2.0 Part 2, TPM2B_PUBLIC where it may be empty. */
export const TPM2B_PUBLIC_OR_EMPTY = optionalSized("TPM2B_PUBLIC", TPMT_PUBLIC);
