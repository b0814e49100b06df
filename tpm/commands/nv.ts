/**
 * Non-volatile storage. TPM 2.0 Part 3, "Non-volatile Storage".
 *
 * @module
 */

import { u16 } from "../codec/scalars.ts";
import {
  TPM2B_AUTH,
  TPM2B_MAX_NV_BUFFER,
  TPM2B_NAME,
} from "../spec/buffers.ts";
import { TPM2B_NV_PUBLIC } from "../spec/nv.ts";
import { command } from "./command.ts";

/** TPM 2.0 Part 3, TPM2_NV_ReadPublic. */
export const NvReadPublic = command("TPM2_NV_ReadPublic", 0x169, {
  handles: { nvIndex: "plain" },
  parameters: {},
  response: { nvPublic: TPM2B_NV_PUBLIC, nvName: TPM2B_NAME },
});

/** TPM 2.0 Part 3, TPM2_NV_Read. */
export const NvRead = command("TPM2_NV_Read", 0x14e, {
  handles: { authHandle: "auth", nvIndex: "plain" },
  parameters: { size: u16, offset: u16 },
  response: { data: TPM2B_MAX_NV_BUFFER },
});

/** TPM 2.0 Part 3, TPM2_NV_DefineSpace. */
export const NvDefineSpace = command("TPM2_NV_DefineSpace", 0x12a, {
  handles: { authHandle: "auth" },
  parameters: { auth: TPM2B_AUTH, publicInfo: TPM2B_NV_PUBLIC },
  response: {},
});

/** TPM 2.0 Part 3, TPM2_NV_UndefineSpace. */
export const NvUndefineSpace = command("TPM2_NV_UndefineSpace", 0x122, {
  handles: { authHandle: "auth", nvIndex: "plain" },
  parameters: {},
  response: {},
});

/** TPM 2.0 Part 3, TPM2_NV_Write. */
export const NvWrite = command("TPM2_NV_Write", 0x137, {
  handles: { authHandle: "auth", nvIndex: "plain" },
  parameters: { data: TPM2B_MAX_NV_BUFFER, offset: u16 },
  response: {},
});
