import { u16, u32, yesNo } from "../codec/scalars.ts";
import { TPM2B_DIGEST } from "../spec/buffers.ts";
import { TPM_CAP, TPMS_CAPABILITY_DATA } from "../spec/capability.ts";
import { command } from "./command.ts";

/** TPM 2.0 Part 3, TPM2_GetCapability. */
export const GetCapability = command("TPM2_GetCapability", 0x17a, {
  parameters: { capability: TPM_CAP, property: u32, propertyCount: u32 },
  response: { moreData: yesNo, capabilityData: TPMS_CAPABILITY_DATA },
});

/** TPM 2.0 Part 3, TPM2_GetRandom. */
export const GetRandom = command("TPM2_GetRandom", 0x17b, {
  parameters: { bytesRequested: u16 },
  response: { randomBytes: TPM2B_DIGEST },
});
