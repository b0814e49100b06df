import { attributes } from "../codec/attributes.ts";
import { sized } from "../codec/buffer.ts";
import type { TypeOf } from "../codec/codec.ts";
import { u16, u32 } from "../codec/scalars.ts";
import { struct } from "../codec/struct.ts";
import { TPMI_ALG_HASH } from "./algorithms.ts";
import { TPM2B_DIGEST } from "./buffers.ts";

/**
 * TPM 2.0 Part 2, TPMA_NV. The four bits of TPM_NT stay in `reserved`: we
 * read ordinary indices and carry the others unchanged.
 */
export const TPMA_NV = attributes("TPMA_NV", u32, {
  ppWrite: 0,
  ownerWrite: 1,
  authWrite: 2,
  policyWrite: 3,
  policyDelete: 10,
  writeLocked: 11,
  writeAll: 12,
  writeDefine: 13,
  writeStClear: 14,
  globalLock: 15,
  ppRead: 16,
  ownerRead: 17,
  authRead: 18,
  policyRead: 19,
  noDA: 25,
  orderly: 26,
  clearStClear: 27,
  readLocked: 28,
  written: 29,
  platformCreate: 30,
  readStClear: 31,
});

/** TPM 2.0 Part 2, TPMS_NV_PUBLIC. */
export const TPMS_NV_PUBLIC = struct("TPMS_NV_PUBLIC", {
  nvIndex: u32,
  nameAlg: TPMI_ALG_HASH,
  attributes: TPMA_NV,
  authPolicy: TPM2B_DIGEST,
  dataSize: u16,
});

/** The value of a {@linkcode TPMS_NV_PUBLIC}. */
export type NvPublic = TypeOf<typeof TPMS_NV_PUBLIC>;

/** TPM 2.0 Part 2, TPM2B_NV_PUBLIC. */
export const TPM2B_NV_PUBLIC = sized("TPM2B_NV_PUBLIC", TPMS_NV_PUBLIC);
