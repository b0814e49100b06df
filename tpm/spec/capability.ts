/**
 * What a TPM says it can do. TPM 2.0 Part 2, "Capability Structures".
 *
 * @module
 */

import { list, shortBuffer } from "../codec/buffer.ts";
import { names, openNames } from "../codec/names.ts";
import { u16, u32 } from "../codec/scalars.ts";
import { struct, tagged } from "../codec/struct.ts";
import { TPM_ALG_ID, TPM_ECC_CURVE } from "./algorithms.ts";
import { TPML_PCR_SELECTION } from "./pcr.ts";

/** TPM 2.0 Part 2, TPM_CAP. */
export const TPM_CAP = names("TPM_CAP", u32, {
  algs: 0,
  handles: 1,
  commands: 2,
  ppCommands: 3,
  auditCommands: 4,
  pcrs: 5,
  tpmProperties: 6,
  pcrProperties: 7,
  eccCurves: 8,
});

/** Properties that the agent asks for. TPM 2.0 Part 2, TPM_PT. */
export const TPM_PT = {
  manufacturer: 0x105,
  vendorString1: 0x106,
  nvBufferMax: 0x12c,
} as const;

/** As many entries as a 1,024-byte capability buffer can hold. */
const MAX_ENTRIES = 254;

/** TPM 2.0 Part 2, TPMS_ALG_PROPERTY; newer algorithms stay numbers. */
export const TPMS_ALG_PROPERTY = struct("TPMS_ALG_PROPERTY", {
  alg: openNames(TPM_ALG_ID, u16),
  algProperties: u32,
});

/** TPM 2.0 Part 2, TPMS_TAGGED_PROPERTY. */
export const TPMS_TAGGED_PROPERTY = struct("TPMS_TAGGED_PROPERTY", {
  property: u32,
  value: u32,
});

/** TPM 2.0 Part 2, TPMS_TAGGED_PCR_SELECT. */
export const TPMS_TAGGED_PCR_SELECT = struct("TPMS_TAGGED_PCR_SELECT", {
  tag: u32,
  pcrSelect: shortBuffer("pcrSelect", 4),
});

const numbers = (name: string) => ({ data: list(name, u32, MAX_ENTRIES) });

/** TPM 2.0 Part 2, TPMS_CAPABILITY_DATA. */
export const TPMS_CAPABILITY_DATA = tagged("TPMS_CAPABILITY_DATA", {
  fields: { capability: TPM_CAP },
  on: "capability",
  arms: {
    algs: { data: list("TPML_ALG_PROPERTY", TPMS_ALG_PROPERTY, MAX_ENTRIES) },
    handles: numbers("TPML_HANDLE"),
    commands: numbers("TPML_CCA"),
    ppCommands: numbers("TPML_CC"),
    auditCommands: numbers("TPML_CC"),
    pcrs: { data: TPML_PCR_SELECTION },
    tpmProperties: {
      data: list("TPML_TAGGED_TPM_PROPERTY", TPMS_TAGGED_PROPERTY, MAX_ENTRIES),
    },
    pcrProperties: {
      data: list(
        "TPML_TAGGED_PCR_PROPERTY",
        TPMS_TAGGED_PCR_SELECT,
        MAX_ENTRIES,
      ),
    },
    eccCurves: {
      data: list("TPML_ECC_CURVE", openNames(TPM_ECC_CURVE, u16), MAX_ENTRIES),
    },
  },
});
