/**
 * Start-up, self test and clock. TPM 2.0 Part 3, "Start-up", "Testing" and
 * "Clocks and Timers".
 *
 * @module
 */

import { names } from "../codec/names.ts";
import { u16, u32, yesNo } from "../codec/scalars.ts";
import { TPMS_TIME_INFO } from "../spec/attest.ts";
import { TPM2B_MAX_BUFFER } from "../spec/buffers.ts";
import { command } from "./command.ts";

/** TPM 2.0 Part 2, TPM_SU. */
export const TPM_SU = names("TPM_SU", u16, { clear: 0x0000, state: 0x0001 });

/** TPM 2.0 Part 3, TPM2_Startup. */
export const Startup = command("TPM2_Startup", 0x144, {
  parameters: { startupType: TPM_SU },
  response: {},
});

/** TPM 2.0 Part 3, TPM2_Shutdown. */
export const Shutdown = command("TPM2_Shutdown", 0x145, {
  parameters: { shutdownType: TPM_SU },
  response: {},
});

/** TPM 2.0 Part 3, TPM2_SelfTest. */
export const SelfTest = command("TPM2_SelfTest", 0x143, {
  parameters: { fullTest: yesNo },
  response: {},
});

/** TPM 2.0 Part 3, TPM2_GetTestResult. */
export const GetTestResult = command("TPM2_GetTestResult", 0x17c, {
  parameters: {},
  response: { outData: TPM2B_MAX_BUFFER, testResult: u32 },
});

/** TPM 2.0 Part 3, TPM2_ReadClock. */
export const ReadClock = command("TPM2_ReadClock", 0x181, {
  parameters: {},
  response: { currentTime: TPMS_TIME_INFO },
});
