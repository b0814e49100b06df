/**
 * The agent's identity. Contract section 1.3.
 *
 * @module
 */

import type { UuidSource } from "./agent_config.ts";
import { refusal } from "./error.ts";
import { OPTIONS } from "./options.ts";
import { whereIs } from "./origin.ts";
import type { Resolution } from "./resolution.ts";

const HYPHENATED =
  /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/;
const FORMS = [
  HYPHENATED,
  new RegExp(HYPHENATED.source.replaceAll(")-(", ")(")),
  new RegExp(HYPHENATED.source.replace("^", "^urn:uuid:")),
  new RegExp(HYPHENATED.source.replace("^", "^\\{").replace("$", "\\}$")),
];

/**
 * The canonical form (lower case, with hyphens) of the UUID in `text`, which
 * may come without hyphens, in braces, or as a URN; undefined for no UUID.
 */
export function parseUuid(text: string): string | undefined {
  for (const form of FORMS) {
    const found = form.exec(text.toLowerCase());
    if (found !== null) return found.slice(1).join("-");
  }
  return undefined;
}

/**
 * Where the agent's identity comes from.
 *
 * @throws {ConfigError} for anything but a UUID and the two keywords, where
 * rust-keylime would take a random identity
 */
export function uuidSource({ settings, warn }: Resolution): UuidSource {
  const { uuid } = settings;
  if (uuid.value === "generate" || uuid.value === "hash_ek") {
    return { kind: uuid.value };
  }
  const value = parseUuid(uuid.value);
  if (value === undefined) {
    throw refusal(uuid, 'a UUID, "generate" or "hash_ek"');
  }
  if (value === OPTIONS.uuid.default) {
    warn(
      `${whereIs(uuid.origin)}: option "uuid" is the published example ` +
        "that every untouched agent has; give each machine its own",
    );
  }
  return { kind: "literal", value };
}
