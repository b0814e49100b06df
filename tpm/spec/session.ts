/**
 * Session types, attributes and the authorization areas that carry them.
 *
 * @module
 */

import { attributes } from "../codec/attributes.ts";
import type { TypeOf } from "../codec/codec.ts";
import { names } from "../codec/names.ts";
import { u32, u8 } from "../codec/scalars.ts";
import { struct } from "../codec/struct.ts";
import { TPM2B_AUTH, TPM2B_NONCE } from "./buffers.ts";

/** TPM 2.0 Part 2, TPM_SE. */
export const TPM_SE = names("TPM_SE", u8, {
  hmac: 0x00,
  policy: 0x01,
  trial: 0x03,
});

/** TPM 2.0 Part 2, TPMA_SESSION. */
export const TPMA_SESSION = attributes("TPMA_SESSION", u8, {
  continueSession: 0,
  auditExclusive: 1,
  auditReset: 2,
  decrypt: 5,
  encrypt: 6,
  audit: 7,
});

/** The value of a {@linkcode TPMA_SESSION}. */
export type SessionAttributes = TypeOf<typeof TPMA_SESSION>;

/** TPM 2.0 Part 2, TPMS_AUTH_COMMAND. */
export const TPMS_AUTH_COMMAND = struct("TPMS_AUTH_COMMAND", {
  sessionHandle: u32,
  nonce: TPM2B_NONCE,
  sessionAttributes: TPMA_SESSION,
  hmac: TPM2B_AUTH,
});

/** The value of a {@linkcode TPMS_AUTH_COMMAND}. */
export type AuthCommand = TypeOf<typeof TPMS_AUTH_COMMAND>;

/** TPM 2.0 Part 2, TPMS_AUTH_RESPONSE. */
export const TPMS_AUTH_RESPONSE = struct("TPMS_AUTH_RESPONSE", {
  nonce: TPM2B_NONCE,
  sessionAttributes: TPMA_SESSION,
  hmac: TPM2B_AUTH,
});

/** The value of a {@linkcode TPMS_AUTH_RESPONSE}. */
export type AuthResponse = TypeOf<typeof TPMS_AUTH_RESPONSE>;
