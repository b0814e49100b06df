/**
 * Attestation and signing. TPM 2.0 Part 3, "Attestation Commands", "Signing
 * and Signature Verification" and TPM2_Hash.
 *
 * @module
 */

import { u32 } from "../codec/scalars.ts";
import { TPMI_ALG_HASH } from "../spec/algorithms.ts";
import {
  TPM2B_ATTEST,
  TPM2B_DATA,
  TPM2B_DIGEST,
  TPM2B_MAX_BUFFER,
} from "../spec/buffers.ts";
import { TPML_PCR_SELECTION } from "../spec/pcr.ts";
import { TPMT_SIG_SCHEME } from "../spec/schemes.ts";
import { TPMT_SIGNATURE } from "../spec/signature.ts";
import {
  TPMT_TK_CREATION,
  TPMT_TK_HASHCHECK,
  TPMT_TK_VERIFIED,
} from "../spec/ticket.ts";
import { command } from "./command.ts";

/** TPM 2.0 Part 3, TPM2_Quote. */
export const Quote = command("TPM2_Quote", 0x158, {
  handles: { signHandle: "auth" },
  parameters: {
    qualifyingData: TPM2B_DATA,
    inScheme: TPMT_SIG_SCHEME,
    pcrSelect: TPML_PCR_SELECTION,
  },
  response: { quoted: TPM2B_ATTEST, signature: TPMT_SIGNATURE },
});

/** TPM 2.0 Part 3, TPM2_Certify. */
export const Certify = command("TPM2_Certify", 0x148, {
  handles: { objectHandle: "auth", signHandle: "auth" },
  parameters: { qualifyingData: TPM2B_DATA, inScheme: TPMT_SIG_SCHEME },
  response: { certifyInfo: TPM2B_ATTEST, signature: TPMT_SIGNATURE },
});

/** TPM 2.0 Part 3, TPM2_CertifyCreation. */
export const CertifyCreation = command("TPM2_CertifyCreation", 0x14a, {
  handles: { signHandle: "auth", objectHandle: "plain" },
  parameters: {
    qualifyingData: TPM2B_DATA,
    creationHash: TPM2B_DIGEST,
    inScheme: TPMT_SIG_SCHEME,
    creationTicket: TPMT_TK_CREATION,
  },
  response: { certifyInfo: TPM2B_ATTEST, signature: TPMT_SIGNATURE },
});

/** TPM 2.0 Part 3, TPM2_GetTime. */
export const GetTime = command("TPM2_GetTime", 0x14c, {
  handles: { privacyAdminHandle: "auth", signHandle: "auth" },
  parameters: { qualifyingData: TPM2B_DATA, inScheme: TPMT_SIG_SCHEME },
  response: { timeInfo: TPM2B_ATTEST, signature: TPMT_SIGNATURE },
});

/** TPM 2.0 Part 3, TPM2_Hash. */
export const Hash = command("TPM2_Hash", 0x17d, {
  parameters: {
    data: TPM2B_MAX_BUFFER,
    hashAlg: TPMI_ALG_HASH,
    hierarchy: u32,
  },
  response: { outHash: TPM2B_DIGEST, validation: TPMT_TK_HASHCHECK },
});

/** TPM 2.0 Part 3, TPM2_Sign. */
export const Sign = command("TPM2_Sign", 0x15d, {
  handles: { keyHandle: "auth" },
  parameters: {
    digest: TPM2B_DIGEST,
    inScheme: TPMT_SIG_SCHEME,
    validation: TPMT_TK_HASHCHECK,
  },
  response: { signature: TPMT_SIGNATURE },
});

/** TPM 2.0 Part 3, TPM2_VerifySignature. */
export const VerifySignature = command("TPM2_VerifySignature", 0x177, {
  handles: { keyHandle: "plain" },
  parameters: { digest: TPM2B_DIGEST, signature: TPMT_SIGNATURE },
  response: { validation: TPMT_TK_VERIFIED },
});
