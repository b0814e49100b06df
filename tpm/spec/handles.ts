/**
 * Handle values that the specification fixes. TPM 2.0 Part 2, TPM_RH and
 * TPM_HT; Registry of Reserved TPM 2.0 Handles.
 *
 * @module
 */

/** The owner hierarchy. */
export const TPM_RH_OWNER = 0x4000_0001;
/** No handle. */
export const TPM_RH_NULL = 0x4000_0007;
/** The pseudo-session of an authorization by password. */
export const TPM_RS_PW = 0x4000_0009;
/** The lockout authority. */
export const TPM_RH_LOCKOUT = 0x4000_000a;
/** The endorsement hierarchy. */
export const TPM_RH_ENDORSEMENT = 0x4000_000b;
/** The platform hierarchy. */
export const TPM_RH_PLATFORM = 0x4000_000c;

/** First handle of each range. TPM 2.0 Part 2, TPM_HC. */
export const FIRST_HANDLE = {
  pcr: 0x0000_0000,
  nvIndex: 0x0100_0000,
  loadedSession: 0x0200_0000,
  transient: 0x8000_0000,
  persistent: 0x8100_0000,
} as const;

/** What the first byte of a handle says it is. TPM 2.0 Part 2, TPM_HT. */
export type HandleType =
  | "pcr"
  | "nvIndex"
  | "hmacSession"
  | "policySession"
  | "permanent"
  | "transient"
  | "persistent"
  | "unknown";

const HANDLE_TYPES: { readonly [firstByte: number]: HandleType } = {
  0x00: "pcr",
  0x01: "nvIndex",
  0x02: "hmacSession",
  0x03: "policySession",
  0x40: "permanent",
  0x80: "transient",
  0x81: "persistent",
};

/** The type of the entity that `handle` refers to. */
export function handleType(handle: number): HandleType {
  return HANDLE_TYPES[handle >>> 24] ?? "unknown";
}

/** `handle` as an administrator writes it: `0x81010001`. */
export function formatHandle(handle: number): string {
  return `0x${handle.toString(16).padStart(8, "0")}`;
}
