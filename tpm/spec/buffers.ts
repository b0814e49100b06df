/**
 * TPM2B types of plain bytes, each with the maximum that the specification or
 * the largest TPM gives it.
 *
 * @module
 */

import { buffer, type Bytes, type SizedCodec } from "../codec/buffer.ts";

/** Largest digest: SHA-512. */
const MAX_DIGEST = 64;
/** TPMT_HA: an algorithm identifier and a digest. */
const MAX_HASHED = 2 + MAX_DIGEST;
/** Largest RSA key: 4096 bits. */
const MAX_RSA_KEY_BYTES = 512;
/** Largest curve: P-521, and BN P-638. */
const MAX_ECC_KEY_BYTES = 80;
/** Largest command or response of the TPMs in use. */
const MAX_COMMAND_BYTES = 4096;

/** TPM 2.0 Part 2, TPM2B_DIGEST. */
export const TPM2B_DIGEST: SizedCodec<Bytes> = buffer(
  "TPM2B_DIGEST",
  MAX_DIGEST,
);
/** TPM 2.0 Part 2, TPM2B_NONCE. */
export const TPM2B_NONCE: SizedCodec<Bytes> = buffer("TPM2B_NONCE", MAX_DIGEST);
/** TPM 2.0 Part 2, TPM2B_AUTH. */
export const TPM2B_AUTH: SizedCodec<Bytes> = buffer("TPM2B_AUTH", MAX_DIGEST);
/** TPM 2.0 Part 2, TPM2B_DATA. */
export const TPM2B_DATA: SizedCodec<Bytes> = buffer("TPM2B_DATA", MAX_HASHED);
/** TPM 2.0 Part 2, TPM2B_NAME: a handle or a TPMT_HA. */
export const TPM2B_NAME: SizedCodec<Bytes> = buffer("TPM2B_NAME", MAX_HASHED);
/** TPM 2.0 Part 2, TPM2B_EVENT. */
export const TPM2B_EVENT: SizedCodec<Bytes> = buffer("TPM2B_EVENT", 1024);
/** TPM 2.0 Part 2, TPM2B_MAX_BUFFER. */
export const TPM2B_MAX_BUFFER: SizedCodec<Bytes> = buffer(
  "TPM2B_MAX_BUFFER",
  2048,
);
/** TPM 2.0 Part 2, TPM2B_MAX_NV_BUFFER. */
export const TPM2B_MAX_NV_BUFFER: SizedCodec<Bytes> = buffer(
  "TPM2B_MAX_NV_BUFFER",
  2048,
);
/** TPM 2.0 Part 2, TPM2B_TIMEOUT. */
export const TPM2B_TIMEOUT: SizedCodec<Bytes> = buffer("TPM2B_TIMEOUT", 8);
/** TPM 2.0 Part 2, TPM2B_SENSITIVE_DATA. */
export const TPM2B_SENSITIVE_DATA: SizedCodec<Bytes> = buffer(
  "TPM2B_SENSITIVE_DATA",
  256,
);
/** TPM 2.0 Part 2, TPM2B_PUBLIC_KEY_RSA. */
export const TPM2B_PUBLIC_KEY_RSA: SizedCodec<Bytes> = buffer(
  "TPM2B_PUBLIC_KEY_RSA",
  MAX_RSA_KEY_BYTES,
);
/** TPM 2.0 Part 2, TPM2B_PRIVATE_KEY_RSA: up to five half-size numbers. */
export const TPM2B_PRIVATE_KEY_RSA: SizedCodec<Bytes> = buffer(
  "TPM2B_PRIVATE_KEY_RSA",
  MAX_RSA_KEY_BYTES / 2 * 5,
);
/** TPM 2.0 Part 2, TPM2B_ECC_PARAMETER. */
export const TPM2B_ECC_PARAMETER: SizedCodec<Bytes> = buffer(
  "TPM2B_ECC_PARAMETER",
  MAX_ECC_KEY_BYTES,
);
/** TPM 2.0 Part 2, TPM2B_PRIVATE: an encrypted and integrity-protected area. */
export const TPM2B_PRIVATE: SizedCodec<Bytes> = buffer(
  "TPM2B_PRIVATE",
  MAX_COMMAND_BYTES,
);
/** TPM 2.0 Part 2, TPM2B_ID_OBJECT: a HMAC and an encrypted credential. */
export const TPM2B_ID_OBJECT: SizedCodec<Bytes> = buffer(
  "TPM2B_ID_OBJECT",
  2 * (2 + MAX_DIGEST),
);
/** TPM 2.0 Part 2, TPM2B_ENCRYPTED_SECRET: OAEP text or a TPMS_ECC_POINT. */
export const TPM2B_ENCRYPTED_SECRET: SizedCodec<Bytes> = buffer(
  "TPM2B_ENCRYPTED_SECRET",
  MAX_RSA_KEY_BYTES,
);
/**
 * TPM 2.0 Part 2, TPM2B_ATTEST. The bytes are what is signed, so they stay
 * bytes; decoding them as TPMS_ATTEST is a step of its own.
 */
export const TPM2B_ATTEST: SizedCodec<Bytes> = buffer("TPM2B_ATTEST", 2048);
/** TPM 2.0 Part 2, TPM2B_CONTEXT_DATA. */
export const TPM2B_CONTEXT_DATA: SizedCodec<Bytes> = buffer(
  "TPM2B_CONTEXT_DATA",
  5120,
);
/** A first parameter that a session has encrypted: a TPM2B of any kind. */
export const ENCRYPTED_PARAMETER: SizedCodec<Bytes> = buffer(
  "TPM2B (encrypted)",
  MAX_COMMAND_BYTES,
);
