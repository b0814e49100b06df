/**
 * Names and parts of response codes. TPM 2.0 Part 2, TPM_RC.
 *
 * @module
 */

/** Codes that blame a handle, a parameter or a session: RC_FMT1. */
const FORMAT_ONE = {
  TPM_RC_ASYMMETRIC: 0x01,
  TPM_RC_ATTRIBUTES: 0x02,
  TPM_RC_HASH: 0x03,
  TPM_RC_VALUE: 0x04,
  TPM_RC_HIERARCHY: 0x05,
  TPM_RC_KEY_SIZE: 0x07,
  TPM_RC_MGF: 0x08,
  TPM_RC_MODE: 0x09,
  TPM_RC_TYPE: 0x0a,
  TPM_RC_HANDLE: 0x0b,
  TPM_RC_KDF: 0x0c,
  TPM_RC_RANGE: 0x0d,
  TPM_RC_AUTH_FAIL: 0x0e,
  TPM_RC_NONCE: 0x0f,
  TPM_RC_PP: 0x10,
  TPM_RC_SCHEME: 0x12,
  TPM_RC_SIZE: 0x15,
  TPM_RC_SYMMETRIC: 0x16,
  TPM_RC_TAG: 0x17,
  TPM_RC_SELECTOR: 0x18,
  TPM_RC_INSUFFICIENT: 0x1a,
  TPM_RC_SIGNATURE: 0x1b,
  TPM_RC_KEY: 0x1c,
  TPM_RC_POLICY_FAIL: 0x1d,
  TPM_RC_INTEGRITY: 0x1f,
  TPM_RC_TICKET: 0x20,
  TPM_RC_RESERVED_BITS: 0x21,
  TPM_RC_BAD_AUTH: 0x22,
  TPM_RC_EXPIRED: 0x23,
  TPM_RC_POLICY_CC: 0x24,
  TPM_RC_BINDING: 0x25,
  TPM_RC_CURVE: 0x26,
  TPM_RC_ECC_POINT: 0x27,
  TPM_RC_FW_LIMITED: 0x28,
  TPM_RC_SVN_LIMITED: 0x29,
  TPM_RC_CHANNEL: 0x30,
  TPM_RC_CHANNEL_KEY: 0x31,
} as const;

/** Errors of the whole command: RC_VER1. */
const VERSION_ONE = {
  TPM_RC_INITIALIZE: 0x100,
  TPM_RC_FAILURE: 0x101,
  TPM_RC_SEQUENCE: 0x103,
  TPM_RC_PRIVATE: 0x10b,
  TPM_RC_HMAC: 0x119,
  TPM_RC_DISABLED: 0x120,
  TPM_RC_EXCLUSIVE: 0x121,
  TPM_RC_AUTH_TYPE: 0x124,
  TPM_RC_AUTH_MISSING: 0x125,
  TPM_RC_POLICY: 0x126,
  TPM_RC_PCR: 0x127,
  TPM_RC_PCR_CHANGED: 0x128,
  TPM_RC_UPGRADE: 0x12d,
  TPM_RC_TOO_MANY_CONTEXTS: 0x12e,
  TPM_RC_AUTH_UNAVAILABLE: 0x12f,
  TPM_RC_REBOOT: 0x130,
  TPM_RC_UNBALANCED: 0x131,
  TPM_RC_COMMAND_SIZE: 0x142,
  TPM_RC_COMMAND_CODE: 0x143,
  TPM_RC_AUTHSIZE: 0x144,
  TPM_RC_AUTH_CONTEXT: 0x145,
  TPM_RC_NV_RANGE: 0x146,
  TPM_RC_NV_SIZE: 0x147,
  TPM_RC_NV_LOCKED: 0x148,
  TPM_RC_NV_AUTHORIZATION: 0x149,
  TPM_RC_NV_UNINITIALIZED: 0x14a,
  TPM_RC_NV_SPACE: 0x14b,
  TPM_RC_NV_DEFINED: 0x14c,
  TPM_RC_BAD_CONTEXT: 0x150,
  TPM_RC_CPHASH: 0x151,
  TPM_RC_PARENT: 0x152,
  TPM_RC_NEEDS_TEST: 0x153,
  TPM_RC_NO_RESULT: 0x154,
  TPM_RC_SENSITIVE: 0x155,
} as const;

/** Conditions that may pass: RC_WARN. */
const WARNINGS = {
  TPM_RC_CONTEXT_GAP: 0x901,
  TPM_RC_OBJECT_MEMORY: 0x902,
  TPM_RC_SESSION_MEMORY: 0x903,
  TPM_RC_MEMORY: 0x904,
  TPM_RC_SESSION_HANDLES: 0x905,
  TPM_RC_OBJECT_HANDLES: 0x906,
  TPM_RC_LOCALITY: 0x907,
  TPM_RC_YIELDED: 0x908,
  TPM_RC_CANCELED: 0x909,
  TPM_RC_TESTING: 0x90a,
  TPM_RC_REFERENCE_H0: 0x910,
  TPM_RC_REFERENCE_H1: 0x911,
  TPM_RC_REFERENCE_H2: 0x912,
  TPM_RC_REFERENCE_H3: 0x913,
  TPM_RC_REFERENCE_H4: 0x914,
  TPM_RC_REFERENCE_H5: 0x915,
  TPM_RC_REFERENCE_H6: 0x916,
  TPM_RC_REFERENCE_S0: 0x918,
  TPM_RC_REFERENCE_S1: 0x919,
  TPM_RC_REFERENCE_S2: 0x91a,
  TPM_RC_REFERENCE_S3: 0x91b,
  TPM_RC_REFERENCE_S4: 0x91c,
  TPM_RC_REFERENCE_S5: 0x91d,
  TPM_RC_REFERENCE_S6: 0x91e,
  TPM_RC_NV_RATE: 0x920,
  TPM_RC_LOCKOUT: 0x921,
  TPM_RC_RETRY: 0x922,
  TPM_RC_NV_UNAVAILABLE: 0x923,
} as const;

/** TPM_RC_BAD_TAG has the value that TPM 1.2 gives a bad tag. */
const TPM_12 = { TPM_RC_SUCCESS: 0x000, TPM_RC_BAD_TAG: 0x01e } as const;

/** Every response code by its TCG name; format-one codes without RC_FMT1. */
export const RESPONSE_CODES = {
  ...FORMAT_ONE,
  ...VERSION_ONE,
  ...WARNINGS,
  ...TPM_12,
} as const;

/** The TCG name of a response code. */
export type ResponseCodeName = keyof typeof RESPONSE_CODES;

/** What a format-one code blames; `number` counts from 1. */
export interface Subject {
  /** The part of the command. */
  readonly kind: "handle" | "parameter" | "session";
  /** Its position, from 1. */
  readonly number: number;
}

/** A response code, taken apart. */
export interface ResponseCode {
  /** The code as the TPM gave it. */
  readonly raw: number;
  /** Its TCG name, or undefined for a code that this program does not know. */
  readonly name: ResponseCodeName | undefined;
  /** Whether the condition may pass by itself. */
  readonly isWarning: boolean;
  /** What is blamed, if the code says so. */
  readonly subject: Subject | undefined;
}

function nameIn(
  table: { readonly [name: string]: number },
  value: number,
): ResponseCodeName | undefined {
  return Object.entries(table).find(([, code]) => code === value)?.[0] as
    | ResponseCodeName
    | undefined;
}

function subjectOf(code: number): Subject | undefined {
  const number = code >>> 8 & 0xf;
  if (code & 0x40) return number ? { kind: "parameter", number } : undefined;
  const low = number & 0x7;
  if (low === 0) return undefined;
  return { kind: number & 0x8 ? "session" : "handle", number: low };
}

/**
 * The parts of the response code `raw`. Bits above the low 12 say which layer
 * answered (the kernel's resource manager sets them) and are left out; a layer
 * that gives nothing else reports no TPM's code, and no success.
 */
export function parseResponseCode(raw: number): ResponseCode {
  const code = raw & 0xfff;
  if (code & 0x80) {
    const name = nameIn(FORMAT_ONE, code & 0x3f);
    return { raw, name, isWarning: false, subject: subjectOf(code) };
  }
  const isWarning = (code & 0x900) === 0x900;
  const table = isWarning ? WARNINGS : code & 0x100 ? VERSION_ONE : TPM_12;
  const name = code === 0 && raw !== 0 ? undefined : nameIn(table, code);
  return { raw, name, isWarning, subject: undefined };
}
