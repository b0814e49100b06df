/**
 * Asking a TPM what it is and what it holds.
 *
 * @module
 */

import type { Executor } from "./commands/command.ts";
import { GetCapability } from "./commands/capability.ts";
import { FlushContext } from "./commands/context.ts";
import { FIRST_HANDLE, handleType } from "./spec/handles.ts";
import { TPM_PT } from "./spec/capability.ts";
import { CodecError } from "./codec/error.ts";

/** As many as a capability answer can carry. */
const ALL = 254;

/** `count` TPM_PT properties from `first` on, by their number. */
async function readProperties(
  tpm: Executor,
  first: number,
  count: number,
): Promise<ReadonlyMap<number, number>> {
  const { capabilityData } = await tpm.execute(GetCapability, {
    capability: "tpmProperties",
    property: first,
    propertyCount: count,
  });
  if (capabilityData.capability !== "tpmProperties") {
    throw new CodecError("the answer is about another capability", 11);
  }
  return new Map(capabilityData.data.map((e) => [e.property, e.value]));
}

/** What a TPM lists together: it has HMAC and policy sessions in one list. */
function listOf(handle: number): string {
  const type = handleType(handle);
  return type === "policySession" ? "hmacSession" : type;
}

/**
 * The handles that exist from `first` on, of the type of `first`; loaded
 * sessions of either type from `FIRST_HANDLE.loadedSession` on.
 */
export async function readHandles(
  tpm: Executor,
  first: number,
): Promise<number[]> {
  const { capabilityData } = await tpm.execute(GetCapability, {
    capability: "handles",
    property: first,
    propertyCount: ALL,
  });
  if (capabilityData.capability !== "handles") {
    throw new CodecError("the answer is about another capability", 11);
  }
  return capabilityData.data.filter((handle) =>
    listOf(handle) === listOf(first)
  );
}

/** Who made a TPM. */
export interface TpmIdentity {
  /** Four characters: `IBM`, `IFX`, `STM`, ... */
  readonly manufacturer: string;
  /** The vendor's own name for it. */
  readonly vendor: string;
  /** How much TPM2_NV_Read gives at once, in bytes: TPM_PT_NV_BUFFER_MAX. */
  readonly nvBufferMax: number;
}

/** Every TPM gives this much at once. */
const NV_BUFFER_MIN = 512;

/** Printable characters of 4-character property values. */
function text(...values: readonly (number | undefined)[]): string {
  const bytes = values.flatMap((value = 0) => [
    value >>> 24,
    value >>> 16 & 0xff,
    value >>> 8 & 0xff,
    value & 0xff,
  ]);
  return bytes.filter((byte) => byte >= 0x20 && byte < 0x7f)
    .map((byte) => String.fromCharCode(byte)).join("").trim();
}

/** What the TPM says of its maker and itself. One TPM2_GetCapability. */
export async function readIdentity(tpm: Executor): Promise<TpmIdentity> {
  const first = TPM_PT.manufacturer;
  const properties = await readProperties(
    tpm,
    first,
    TPM_PT.nvBufferMax - first + 1,
  );
  const vendor = [0, 1, 2, 3].map((at) =>
    properties.get(TPM_PT.vendorString1 + at)
  );
  return {
    manufacturer: text(properties.get(first)),
    vendor: text(...vendor),
    nvBufferMax: properties.get(TPM_PT.nvBufferMax) ?? NV_BUFFER_MIN,
  };
}

/**
 * Flushes every loaded object and session, and returns how many there were.
 * Only for a TPM without a resource manager that nobody else is using: what
 * is loaded then belongs to clients that ended without cleaning up, and is in
 * the way of ours.
 */
export async function flushLeftovers(tpm: Executor): Promise<number> {
  const handles = [
    ...await readHandles(tpm, FIRST_HANDLE.transient),
    ...await readHandles(tpm, FIRST_HANDLE.loadedSession),
  ];
  for (const flushHandle of handles) {
    await tpm.execute(FlushContext, { flushHandle });
  }
  return handles.length;
}
