/**
 * Sessions and their policies. TPM 2.0 Part 3, "Session Commands" and
 * "Enhanced Authorization (EA) Commands".
 *
 * @module
 */

import { i32 } from "../codec/scalars.ts";
import { TPMI_ALG_HASH } from "../spec/algorithms.ts";
import {
  TPM2B_DIGEST,
  TPM2B_ENCRYPTED_SECRET,
  TPM2B_NONCE,
  TPM2B_TIMEOUT,
} from "../spec/buffers.ts";
import { TPMT_SYM_DEF } from "../spec/schemes.ts";
import { TPM_SE } from "../spec/session.ts";
import { TPMT_TK_AUTH } from "../spec/ticket.ts";
import { command } from "./command.ts";

/** TPM 2.0 Part 3, TPM2_StartAuthSession. */
export const StartAuthSession = command("TPM2_StartAuthSession", 0x176, {
  handles: { tpmKey: "plain", bind: "plain" },
  parameters: {
    nonceCaller: TPM2B_NONCE,
    encryptedSalt: TPM2B_ENCRYPTED_SECRET,
    sessionType: TPM_SE,
    symmetric: TPMT_SYM_DEF,
    authHash: TPMI_ALG_HASH,
  },
  responseHandle: "sessionHandle",
  response: { nonceTPM: TPM2B_NONCE },
});

/** TPM 2.0 Part 3, TPM2_PolicyRestart. */
export const PolicyRestart = command("TPM2_PolicyRestart", 0x180, {
  handles: { sessionHandle: "plain" },
  parameters: {},
  response: {},
});

/** TPM 2.0 Part 3, TPM2_PolicySecret. */
export const PolicySecret = command("TPM2_PolicySecret", 0x151, {
  handles: { authHandle: "auth", policySession: "plain" },
  parameters: {
    nonceTPM: TPM2B_NONCE,
    cpHashA: TPM2B_DIGEST,
    policyRef: TPM2B_NONCE,
    expiration: i32,
  },
  response: { timeout: TPM2B_TIMEOUT, policyTicket: TPMT_TK_AUTH },
});

/** TPM 2.0 Part 3, TPM2_PolicyGetDigest. */
export const PolicyGetDigest = command("TPM2_PolicyGetDigest", 0x189, {
  handles: { policySession: "plain" },
  parameters: {},
  response: { policyDigest: TPM2B_DIGEST },
});
