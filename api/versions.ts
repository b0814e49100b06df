/**
 * The versions of the agent's API, and what each of them changed
 * (contract section 5.4).
 *
 * @module
 */

/**
 * Every version this agent can serve, oldest first. 2.3 and 2.4 changed only
 * what registrar and verifier say to each other; 2.6 only what the identity
 * key certifies at registration. A pull agent never offers 3.x: the verifier
 * would pick it and fail.
 */
export const API_VERSIONS = ["2.1", "2.2", "2.3", "2.4", "2.5", "2.6"] as const;

/** One version of the agent's API. */
export type ApiVersion = typeof API_VERSIONS[number];

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
