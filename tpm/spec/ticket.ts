/**
 * Structure tags and the tickets that carry them. TPM 2.0 Part 2, TPM_ST and
 * "Tickets".
 *
 * @module
 */

import { u16, u32 } from "../codec/scalars.ts";
import { names } from "../codec/names.ts";
import { struct } from "../codec/struct.ts";
import { TPM2B_DIGEST } from "./buffers.ts";

/** TPM 2.0 Part 2, TPM_ST. */
export const TPM_ST = names("TPM_ST", u16, {
  rspCommand: 0x00c4,
  null: 0x8000,
  noSessions: 0x8001,
  sessions: 0x8002,
  attestNv: 0x8014,
  attestCommandAudit: 0x8015,
  attestSessionAudit: 0x8016,
  attestCertify: 0x8017,
  attestQuote: 0x8018,
  attestTime: 0x8019,
  attestCreation: 0x801a,
  attestNvDigest: 0x801c,
  creation: 0x8021,
  verified: 0x8022,
  authSecret: 0x8023,
  hashcheck: 0x8024,
  authSigned: 0x8025,
});

const TICKET = { tag: TPM_ST, hierarchy: u32, digest: TPM2B_DIGEST } as const;

/** TPM 2.0 Part 2, TPMT_TK_CREATION. */
export const TPMT_TK_CREATION = struct("TPMT_TK_CREATION", TICKET);
/** TPM 2.0 Part 2, TPMT_TK_VERIFIED. */
export const TPMT_TK_VERIFIED = struct("TPMT_TK_VERIFIED", TICKET);
/** TPM 2.0 Part 2, TPMT_TK_AUTH. */
export const TPMT_TK_AUTH = struct("TPMT_TK_AUTH", TICKET);
/** TPM 2.0 Part 2, TPMT_TK_HASHCHECK. */
export const TPMT_TK_HASHCHECK = struct("TPMT_TK_HASHCHECK", TICKET);
