/**
 * What is loaded and what stays. TPM 2.0 Part 3, "Context Management", and the
 * dictionary-attack commands.
 *
 * @module
 */

import { u32 } from "../codec/scalars.ts";
import { TPMS_CONTEXT } from "../spec/context.ts";
import { command } from "./command.ts";

/** TPM 2.0 Part 3, TPM2_ContextSave. */
export const ContextSave = command("TPM2_ContextSave", 0x162, {
  handles: { saveHandle: "plain" },
  parameters: {},
  response: { context: TPMS_CONTEXT },
});

/** TPM 2.0 Part 3, TPM2_ContextLoad. */
export const ContextLoad = command("TPM2_ContextLoad", 0x161, {
  parameters: { context: TPMS_CONTEXT },
  responseHandle: "loadedHandle",
  response: {},
});

/** TPM 2.0 Part 3, TPM2_FlushContext: its handle is a parameter. */
export const FlushContext = command("TPM2_FlushContext", 0x165, {
  parameters: { flushHandle: u32 },
  response: {},
});

/** TPM 2.0 Part 3, TPM2_EvictControl. */
export const EvictControl = command("TPM2_EvictControl", 0x120, {
  handles: { auth: "auth", objectHandle: "plain" },
  parameters: { persistentHandle: u32 },
  response: {},
});

/** TPM 2.0 Part 3, TPM2_DictionaryAttackLockReset. */
export const DictionaryAttackLockReset = command(
  "TPM2_DictionaryAttackLockReset",
  0x139,
  { handles: { lockHandle: "auth" }, parameters: {}, response: {} },
);

/** TPM 2.0 Part 3, TPM2_DictionaryAttackParameters; times in seconds. */
export const DictionaryAttackParameters = command(
  "TPM2_DictionaryAttackParameters",
  0x13a,
  {
    handles: { lockHandle: "auth" },
    parameters: {
      newMaxTries: u32,
      newRecoveryTime: u32,
      lockoutRecovery: u32,
    },
    response: {},
  },
);
