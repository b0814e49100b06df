/**
 * The options of the TPM: algorithms, the endorsement key, passwords.
 *
 * @module
 */

import type { TpmConfig } from "./agent_config.ts";
import {
  algorithmIn,
  HASH_ALGS,
  KEY_TYPES,
  requireMatch,
  SCHEMES,
} from "./algorithms.ts";
import { refusal } from "./error.ts";
import { whereIs } from "./origin.ts";
import type { Resolution } from "./resolution.ts";
import type { Setting } from "./settings.ts";

/** TPM2B_AUTH holds the largest digest at most. */
const AUTH_BYTES_MAX = 64;

const PERSISTENT_FIRST = 0x8100_0000;
const PERSISTENT_LAST = 0x81ff_ffff;
/** The rest is the platform's, for which the agent has no password. */
const OWNER_LAST = 0x817f_ffff;

/**
 * How the agent uses its TPM. Contract sections 3.2 and 3.4.
 *
 * @throws {ConfigError} for values that could never lead to attestation
 */
export function tpmConfig({ settings, warn }: Resolution): TpmConfig {
  const { tpm_hash_alg, tpm_encryption_alg, tpm_signing_alg } = settings;
  const { ek_handle, ak_handle } = settings;
  const hashAlg = algorithmIn(HASH_ALGS, tpm_hash_alg);
  const encryptionAlg = algorithmIn(KEY_TYPES, tpm_encryption_alg);
  const signingAlg = algorithmIn(SCHEMES, tpm_signing_alg);
  requireMatch(
    { ...tpm_encryption_alg, alg: encryptionAlg },
    { ...tpm_signing_alg, alg: signingAlg },
  );
  if (hashAlg === "sha1") {
    warn(
      `${whereIs(tpm_hash_alg.origin)}: option "tpm_hash_alg" is "sha1", ` +
        "which today's verifiers refuse unless they are configured to accept it",
    );
  }
  return {
    hashAlg,
    encryptionAlg,
    signingAlg,
    ekHandle: ek_handle.value === "generate" || ek_handle.value === ""
      ? { kind: "generate" }
      : { kind: "persistent", handle: persistentHandle(ek_handle) },
    akHandle: ak_handle.value === ""
      ? undefined
      : persistentHandle(ak_handle, OWNER_LAST),
    ownerPassword: authValue(settings.tpm_ownerpassword),
  };
}

/**
 * The persistent handle, up to `last`, that `setting` holds in hexadecimal.
 *
 * @throws {ConfigError} when it is none
 */
export function persistentHandle(
  setting: Setting<string>,
  last = PERSISTENT_LAST,
): number {
  const [, digits] = /^(?:0x)?([0-9a-f]{1,8})$/i.exec(setting.value) ?? [];
  const handle = digits === undefined ? NaN : parseInt(digits, 16);
  if (handle >= PERSISTENT_FIRST && handle <= last) return handle;
  throw refusal(
    setting,
    `a hexadecimal handle from 0x81000000 to 0x${last.toString(16)}`,
  );
}

/**
 * The authorization value that the password in `setting` stands for: its
 * UTF-8, or the bytes after `hex:`.
 *
 * @throws {ConfigError} when it is no hexadecimal or too long for any TPM
 */
export function authValue(setting: Setting<string>): Uint8Array {
  const bytes = bytesOf(setting.value);
  if (bytes !== undefined && bytes.length <= AUTH_BYTES_MAX) return bytes;
  throw refusal(
    setting,
    `at most ${AUTH_BYTES_MAX} bytes, as text or as "hex:" and pairs of ` +
      "hexadecimal digits",
  );
}

function bytesOf(password: string): Uint8Array | undefined {
  if (!password.startsWith("hex:")) return new TextEncoder().encode(password);
  const digits = password.slice("hex:".length);
  return /^(?:[0-9a-f]{2})*$/i.test(digits)
    ? Uint8Array.fromHex(digits)
    : undefined;
}
