/**
 * Reading one configuration file: from bytes to the entries of its `[agent]`
 * table.
 *
 * @module
 */

import { parse, TomlError } from "smol-toml";
import { quoted } from "../log/log.ts";
import { ConfigError } from "./error.ts";
import { type Origin, whereIs } from "./origin.ts";

/** What a file says. */
export interface AgentTable {
  /** The entries of `[agent]`, as TOML typed them. */
  readonly entries: readonly (readonly [name: string, raw: unknown])[];
  /** What the administrator should know about the rest. */
  readonly warnings: readonly string[];
}

/**
 * The `[agent]` table of the TOML file in `bytes`; a byte order mark is
 * skipped. Contract section 1.1.
 *
 * @throws {ConfigError} when `bytes` are not UTF-8, not TOML, or `agent` is
 * no table
 */
export function parseAgentTable(
  bytes: Uint8Array,
  origin: Origin,
): AgentTable {
  const { agent, ...others } = parseToml(bytes, origin);
  const warnings: string[] = [];

  const names = Object.keys(others);
  if (names.length > 0) {
    const listed = names.map((name) => quoted(name)).join(", ");
    warnings.push(
      `${whereIs(origin)} sets ${listed} outside of [agent], which is ignored`,
    );
  }
  if (agent === undefined) {
    warnings.push(
      `${whereIs(origin)} has no [agent] table, so it sets no option`,
    );
    return { entries: [], warnings };
  }
  if (typeof agent !== "object" || agent === null || Array.isArray(agent)) {
    throw new ConfigError(': "agent" is not a table; accepted: [agent]', {
      origin,
      accepted: "[agent]",
    });
  }
  return { entries: Object.entries(agent), warnings };
}

function parseToml(bytes: Uint8Array, origin: Origin): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError(" is not UTF-8 text; accepted: a TOML file", {
      origin,
      accepted: "a TOML file",
    });
  }
  try {
    return parse(text, { integersAsBigInt: "asNeeded" });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // Beyond its first line the parser's message quotes the file, which may
    // hold passwords; for the same reason it is not kept as the cause.
    const [reason = ""] = error.message.split("\n", 1);
    throw new ConfigError(
      `, line ${error.line}: ${reason.replace(/^[^:]*: /, "")}; ` +
        "accepted: a TOML file",
      { origin, accepted: "a TOML file" },
    );
  }
}
