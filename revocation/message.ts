/**
 * What a revocation message says (contract section 9.2).
 *
 * @module
 */

import { quoted } from "../log/log.ts";
import { RevocationError } from "./error.ts";

/** Most characters of a message; the verifier's have about a thousand. */
export const MESSAGE_LIMIT = 1_048_576;

/** Deepest nesting of a message, which is upstream's limit. */
const DEPTH_LIMIT = 128;

/** The types of message that the verifier sends. */
const TYPES = ["revocation", "comm_error"] as const;

/** A message that actions may be told of. */
export interface RevocationMessage {
  /** One sentence for the log on what it is about. */
  readonly subject: string;
  /** The message as actions get it: compact JSON, keys sorted. */
  readonly text: string;
}

/**
 * The message in `msg`, whose signature must have been checked.
 *
 * @throws {RevocationError} for what is no JSON object of a known type
 */
export function parseMessage(msg: string): RevocationMessage {
  const value = parsed(msg);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new RevocationError("message", "The message is no JSON object");
  }
  const fields = new Map<string, unknown>(Object.entries(value));
  const type = fields.get("type");
  if (!TYPES.some((known) => known === type)) {
    throw new RevocationError(
      "type",
      type === undefined
        ? "The message has no type"
        : `The message has the unknown type ${shown(type)}`,
    );
  }
  const names = ["agent_id", "event_id", "event_time"]
    .filter((name) => fields.has(name))
    .map((name) => `${name} ${shown(fields.get(name))}`);
  return {
    subject: [`${type}`, ...names].join(", "),
    text: sortedText(value, 0),
  };
}

function parsed(msg: string): unknown {
  try {
    return JSON.parse(msg);
  } catch {
    // V8's own words would repeat the message.
    throw new RevocationError("message", "The message is not valid JSON");
  }
}

function shown(value: unknown): string {
  return typeof value === "string" ? quoted(value) : `of type ${typeof value}`;
}

/** `value` as compact JSON with the keys of each object sorted. */
function sortedText(value: unknown, depth: number): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (depth >= DEPTH_LIMIT) {
    throw new RevocationError(
      "message",
      `The message is nested more than ${DEPTH_LIMIT} deep`,
    );
  }
  if (Array.isArray(value)) {
    return `[${value.map((item) => sortedText(item, depth + 1)).join(",")}]`;
  }
  const members = Object.entries(value)
    .sort(([one], [other]) => one < other ? -1 : 1)
    .map(([key, item]) =>
      `${JSON.stringify(key)}:${sortedText(item, depth + 1)}`
    );
  return `{${members.join(",")}}`;
}
