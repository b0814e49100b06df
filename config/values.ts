/**
 * Coercion of what a TOML file or an environment variable holds to the type
 * of its option, as lenient as rust-keylime. Contract section 1.1.
 *
 * @module
 */

import type { Option, Value } from "./option.ts";

const TRUE = /^(?:1|true|on|yes)$/i;
const FALSE = /^(?:0|false|off|no)$/i;

/** `raw` as text: a string, or a boolean or number printed. */
export function toText(raw: unknown): string | undefined {
  switch (typeof raw) {
    case "string":
      return raw;
    case "boolean":
    case "number":
    case "bigint":
      return String(raw);
    default:
      return undefined;
  }
}

/** `raw` as a boolean: one itself, a whole number, or a word for one. */
export function toBoolean(raw: unknown): boolean | undefined {
  if (typeof raw === "boolean") return raw;
  if (typeof raw === "bigint") return raw !== 0n;
  if (typeof raw === "number") {
    return Number.isInteger(raw) ? raw !== 0 : undefined;
  }
  if (typeof raw !== "string") return undefined;
  return TRUE.test(raw) ? true : FALSE.test(raw) ? false : undefined;
}

/**
 * `raw` as a whole number: a number (rounded), a decimal string, a boolean or
 * a word for one. Numbers too large to be exact give undefined.
 */
export function toInteger(raw: unknown): number | undefined {
  if (typeof raw === "boolean") return Number(raw);
  const number = typeof raw === "number"
    ? Math.round(raw)
    : typeof raw !== "string"
    ? NaN
    : /^[+-]?\d+$/.test(raw)
    ? Number(raw)
    : Number(toBoolean(raw) ?? NaN);
  // Adding zero turns the negative zero of "-0" into zero.
  return Number.isSafeInteger(number) ? number + 0 : undefined;
}

/** `raw` in the type and the range of `option`, or undefined. */
export function coerce(option: Option, raw: unknown): Value | undefined {
  switch (option.type) {
    case "text":
      return toText(raw);
    case "boolean":
      return toBoolean(raw);
    case "integer": {
      const value = toInteger(raw);
      if (value === undefined) return undefined;
      return value >= option.min && value <= option.max ? value : undefined;
    }
  }
}

/** What {@linkcode coerce} accepts for `option`, in words. */
export function acceptedBy(option: Option): string {
  switch (option.type) {
    case "text":
      return "text in quotes (a list too is written as text)";
    case "boolean":
      return "true or false";
    case "integer":
      return `a whole number from ${option.min} to ${option.max}`;
  }
}
