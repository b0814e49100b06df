/**
 * What the parts of the configuration are resolved from.
 *
 * @module
 */

import { refusal } from "./error.ts";
import { isQuotedItem, parseList } from "./lists.ts";
import type { Setting, Settings } from "./settings.ts";

/** The merged settings, and where to put what the administrator should know. */
export interface Resolution {
  /** The value of every option. */
  readonly settings: Settings;
  /** The resolved working directory. */
  readonly keylimeDir: string;
  /** Takes one sentence for the administrator. */
  readonly warn: (sentence: string) => void;
}

/**
 * The value of `setting` if it is one of `accepted`.
 *
 * @throws {ConfigError} for any other value
 */
export function oneOf<T extends string>(
  setting: Setting<string>,
  accepted: readonly T[],
): T {
  const found = accepted.find((each) => each === setting.value);
  if (found === undefined) throw refusal(setting, words(accepted));
  return found;
}

/** `values` quoted and joined for a message. */
export function words(values: readonly string[]): string {
  return values.map((value) => `"${value}"`).join(", ");
}

/**
 * The names in the list that `setting` holds. Quotes would be part of a name,
 * which is never what was meant.
 *
 * @throws {ConfigError} when it is no list or an item is quoted
 */
export function namesIn(setting: Setting<string>): readonly string[] {
  let items: readonly string[];
  try {
    items = parseList(setting.value);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw refusal(setting, "names separated by blanks or by commas", {
      cause: error,
    });
  }
  if (items.some(isQuotedItem)) {
    throw refusal(setting, "a list of names without quotes around them");
  }
  return items;
}
