/**
 * The value of every option after all sources are merged, each with the place
 * that set it.
 *
 * @module
 */

import type { Origin } from "./origin.ts";
import { type OptionName, optionOf, type ValueOf } from "./options.ts";

/** One option's value and where it was set. */
export interface Setting<T = string | number | boolean> {
  /** The option's name. */
  readonly option: OptionName;
  /** Its value. */
  readonly value: T;
  /** The place that set the value. */
  readonly origin: Origin;
}

/** The settings of all options. */
export type Settings = { readonly [N in OptionName]: Setting<ValueOf<N>> };

/** Whether the administrator chose something other than the default. */
export function isChanged({ option, value, origin }: Setting): boolean {
  const declared = optionOf(option);
  if (origin.kind === "default" || value === declared.default) return false;
  if (declared.type !== "text") return true;
  return value !== "" && !(declared.alsoDefault ?? []).some((v) => v === value);
}
