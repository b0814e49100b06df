/**
 * The errors that a configuration can cause, written for the administrator who
 * has to mend it.
 *
 * @module
 */

import { quoted } from "../log/log.ts";
import { type Origin, whereIs } from "./origin.ts";
import { optionOf } from "./options.ts";
import type { Setting } from "./settings.ts";

/** What a {@linkcode ConfigError} is about. */
export interface ConfigFault {
  /** The place to mend. */
  readonly origin: Origin;
  /** The option, unless the whole file or directory is at fault. */
  readonly option?: string;
  /** The refused value, escaped; never that of a password. */
  readonly value?: string | undefined;
  /** What would be accepted instead. */
  readonly accepted?: string;
  /** The error behind it. */
  readonly cause?: unknown;
}

/** A configuration that the agent refuses to start with; one line. */
export class ConfigError extends Error {
  /** Tells this error from others in a log. */
  override readonly name = "ConfigError";
  /** The place to mend. */
  readonly origin: Origin;
  /** The option, unless the whole file or directory is at fault. */
  readonly option: string | undefined;
  /** The refused value, escaped; never that of a password. */
  readonly value: string | undefined;
  /** What would be accepted instead. */
  readonly accepted: string | undefined;

  /** The error for `fault`, with `problem` after the place it is in. */
  constructor(problem: string, fault: ConfigFault) {
    super(
      `${whereIs(fault.origin)}${problem}`,
      fault.cause === undefined ? {} : { cause: fault.cause },
    );
    this.origin = fault.origin;
    this.option = fault.option;
    this.value = fault.value;
    this.accepted = fault.accepted;
  }
}

/** An option has a proper value that this machine cannot follow; one line. */
export class UnfitOptionError extends Error {
  /** The class's name, also after bundling. */
  override readonly name = "UnfitOptionError";
}

/**
 * The error for a setting whose value cannot be used.
 *
 * @param setting the setting, its value coerced or as the source gave it
 * @param accepted what would be accepted, in words
 * @param more why a value is refused that looks right, as the end of "is …,",
 * and the error behind it
 */
export function refusal(
  setting: Setting<unknown>,
  accepted: string,
  { why, cause }: { readonly why?: string | undefined; cause?: unknown } = {},
): ConfigError {
  const { option, origin } = setting;
  const value = displayed(setting);
  const problem = value === undefined ? "has an unusable value" : `is ${value}`;
  return new ConfigError(
    `: option "${option}" ${problem}${
      why === undefined ? "" : `, ${why}`
    }; accepted: ${accepted}`,
    { origin, option, value, accepted, cause },
  );
}

/**
 * A setting's value for a message, escaped, or undefined for the value of a
 * password.
 */
export function displayed(setting: Setting<unknown>): string | undefined {
  const { option, value } = setting;
  const declared = optionOf(option);
  if (declared.type === "text" && declared.secret) return undefined;
  if (Array.isArray(value)) return "an array";
  if (value instanceof Date) return "a date";
  if (typeof value === "object") return "a table";
  return typeof value === "string" ? quoted(value) : String(value);
}
