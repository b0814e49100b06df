/**
 * The API versions this agent speaks, and which of them are enabled.
 *
 * @module
 */

import { quoted } from "../log/log.ts";
import { parseList } from "./lists.ts";
import { whereIs } from "./origin.ts";
import type { Resolution } from "./resolution.ts";

/**
 * Every API version of pull mode, ascending. 2.3 and 2.4 changed only what
 * registrar and verifier say to each other; 2.6 only what the identity key
 * certifies at registration. A pull agent never offers 3.x: the verifier would
 * pick it and fail.
 */
export const API_VERSIONS = [
  "2.1",
  "2.2",
  "2.3",
  "2.4",
  "2.5",
  "2.6",
] as const;

/** An API version of pull mode. */
export type ApiVersion = typeof API_VERSIONS[number];

/**
 * The enabled versions, ascending, never none. Unknown items are left out
 * with a warning, and where nothing is left all versions are enabled, so that
 * a verifier always finds one. Contract section 1.3.
 */
export function enabledApiVersions(
  { settings, warn }: Resolution,
): readonly ApiVersion[] {
  const { value, origin } = settings.api_versions;
  if (value === "default") return API_VERSIONS;
  if (value === "latest") return API_VERSIONS.slice(-1);

  const where = `${whereIs(origin)}: option "api_versions"`;
  const items = itemsOf(value);
  const known: ReadonlySet<string> = new Set(API_VERSIONS);
  for (const item of items) {
    if (!known.has(item)) {
      warn(
        `${where} names ${quoted(item)}, which is no version of this agent ` +
          "and is ignored",
      );
    }
  }
  const enabled = API_VERSIONS.filter((version) => items.includes(version));
  if (enabled.length > 0) return enabled;
  warn(`${where} is ${quoted(value)} and enables none, so all are enabled`);
  return API_VERSIONS;
}

/** The items of a list; none of what is no list. */
function itemsOf(value: string): readonly string[] {
  try {
    return parseList(value);
  } catch {
    return [];
  }
}
