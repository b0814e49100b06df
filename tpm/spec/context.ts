import { u32, u64 } from "../codec/scalars.ts";
import { struct } from "../codec/struct.ts";
import { TPM2B_CONTEXT_DATA } from "./buffers.ts";

/** A saved object or session. TPM 2.0 Part 2, TPMS_CONTEXT. */
export const TPMS_CONTEXT = struct("TPMS_CONTEXT", {
  sequence: u64,
  savedHandle: u32,
  hierarchy: u32,
  contextBlob: TPM2B_CONTEXT_DATA,
});
