/**
 * The versions of the agent's API, and what each of them changed
 * (contract section 5.4).
 *
 * @module
 */

import { API_VERSIONS, type ApiVersion } from "../config/api_versions.ts";

/** Whether `version` has what came with `since`. */
export function reaches(version: ApiVersion, since: ApiVersion): boolean {
  return API_VERSIONS.indexOf(version) >= API_VERSIONS.indexOf(since);
}

/**
 * The name that `version` gives to the key algorithm `canonical` (`rsa2048`,
 * `ecc256`, …). Before 2.5 the two default algorithms went without their size.
 */
export function encryptionName(canonical: string, version: ApiVersion): string {
  if (reaches(version, "2.5")) return canonical;
  switch (canonical) {
    case "rsa2048":
      return "rsa";
    case "ecc256":
      return "ecc";
    default:
      return canonical;
  }
}
