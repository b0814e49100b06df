/**
 * Platform Configuration Registers. TPM 2.0 Part 3, "Integrity Collection
 * (PCR)".
 *
 * @module
 */

import { u32 } from "../codec/scalars.ts";
import { TPM2B_EVENT } from "../spec/buffers.ts";
import {
  TPML_DIGEST,
  TPML_DIGEST_VALUES,
  TPML_PCR_SELECTION,
} from "../spec/pcr.ts";
import { command } from "./command.ts";

/** TPM 2.0 Part 3, TPM2_PCR_Extend. */
export const PcrExtend = command("TPM2_PCR_Extend", 0x182, {
  handles: { pcrHandle: "auth" },
  parameters: { digests: TPML_DIGEST_VALUES },
  response: {},
});

/** TPM 2.0 Part 3, TPM2_PCR_Event. */
export const PcrEvent = command("TPM2_PCR_Event", 0x13c, {
  handles: { pcrHandle: "auth" },
  parameters: { eventData: TPM2B_EVENT },
  response: { digests: TPML_DIGEST_VALUES },
});

/** TPM 2.0 Part 3, TPM2_PCR_Read; a TPM returns at most 8 values at once. */
export const PcrRead = command("TPM2_PCR_Read", 0x17e, {
  parameters: { pcrSelectionIn: TPML_PCR_SELECTION },
  response: {
    pcrUpdateCounter: u32,
    pcrSelectionOut: TPML_PCR_SELECTION,
    pcrValues: TPML_DIGEST,
  },
});

/** TPM 2.0 Part 3, TPM2_PCR_Reset. */
export const PcrReset = command("TPM2_PCR_Reset", 0x13d, {
  handles: { pcrHandle: "auth" },
  parameters: {},
  response: {},
});
