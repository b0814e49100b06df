/**
 * Attestation structures. TPM 2.0 Part 2, "Attestation Structures".
 *
 * @module
 */

import { sized } from "../codec/buffer.ts";
import type { TypeOf } from "../codec/codec.ts";
import { constant, u16, u32, u64, u8, yesNo } from "../codec/scalars.ts";
import { struct, tagged } from "../codec/struct.ts";
import { TPMI_ALG_HASH_OR_NULL } from "./algorithms.ts";
import {
  TPM2B_DATA,
  TPM2B_DIGEST,
  TPM2B_MAX_NV_BUFFER,
  TPM2B_NAME,
} from "./buffers.ts";
import { TPML_PCR_SELECTION } from "./pcr.ts";
import { TPM_ST } from "./ticket.ts";

/** TPM_GENERATED_VALUE: "\xFFTCG", which only a TPM puts before what it signs. */
export const TPM_GENERATED_VALUE = 0xff54_4347;

/** TPM 2.0 Part 2, TPMS_CLOCK_INFO; `clock` counts milliseconds. */
export const TPMS_CLOCK_INFO = struct("TPMS_CLOCK_INFO", {
  clock: u64,
  resetCount: u32,
  restartCount: u32,
  safe: yesNo,
});

/** The value of a {@linkcode TPMS_CLOCK_INFO}. */
export type ClockInfo = TypeOf<typeof TPMS_CLOCK_INFO>;

/** TPM 2.0 Part 2, TPMS_TIME_INFO; `time` counts milliseconds. */
export const TPMS_TIME_INFO = struct("TPMS_TIME_INFO", {
  time: u64,
  clockInfo: TPMS_CLOCK_INFO,
});

/** What a TPM signs about itself. TPM 2.0 Part 2, TPMS_ATTEST. */
export const TPMS_ATTEST = tagged("TPMS_ATTEST", {
  fields: {
    magic: constant(u32, TPM_GENERATED_VALUE),
    type: TPM_ST,
    qualifiedSigner: TPM2B_NAME,
    extraData: TPM2B_DATA,
    clockInfo: TPMS_CLOCK_INFO,
    firmwareVersion: u64,
  },
  on: "type",
  arms: {
    attestQuote: { pcrSelect: TPML_PCR_SELECTION, pcrDigest: TPM2B_DIGEST },
    attestCertify: { objectName: TPM2B_NAME, qualifiedName: TPM2B_NAME },
    attestCreation: { objectName: TPM2B_NAME, creationHash: TPM2B_DIGEST },
    attestTime: { time: TPMS_TIME_INFO, firmwareVersionAttested: u64 },
    attestNv: {
      indexName: TPM2B_NAME,
      offset: u16,
      nvContents: TPM2B_MAX_NV_BUFFER,
    },
  },
});

/** The value of a {@linkcode TPMS_ATTEST}. */
export type TpmsAttest = TypeOf<typeof TPMS_ATTEST>;

/** TPM 2.0 Part 2, TPMS_CREATION_DATA. */
export const TPMS_CREATION_DATA = struct("TPMS_CREATION_DATA", {
  pcrSelect: TPML_PCR_SELECTION,
  pcrDigest: TPM2B_DIGEST,
  locality: u8,
  parentNameAlg: TPMI_ALG_HASH_OR_NULL,
  parentName: TPM2B_NAME,
  parentQualifiedName: TPM2B_NAME,
  outsideInfo: TPM2B_DATA,
});

/** TPM 2.0 Part 2, TPM2B_CREATION_DATA. */
export const TPM2B_CREATION_DATA = sized(
  "TPM2B_CREATION_DATA",
  TPMS_CREATION_DATA,
);
