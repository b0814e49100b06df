/**
 * Where a configuration value came from, so that every refusal can name the
 * place to mend.
 *
 * @module
 */

import { quoted } from "../log/log.ts";

/** The place that set a configuration value. */
export type Origin =
  | { readonly kind: "default" }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "environment"; readonly variable: string };

/** The origin of every value that no file and no variable sets. */
export const BUILT_IN: Origin = { kind: "default" };

/** `origin` as the opening words of a message. */
export function whereIs(origin: Origin): string {
  switch (origin.kind) {
    case "default":
      return "Built-in default";
    case "file":
      return `Configuration file ${quoted(origin.path, 4096)}`;
    case "directory":
      return `Configuration directory ${quoted(origin.path, 4096)}`;
    case "environment":
      return `Environment variable ${quotedName(origin.variable)}`;
  }
}

/** A name from outside: bare when it is a plain word, else quoted. */
function quotedName(name: string): string {
  return /^\w+$/.test(name) ? name : quoted(name);
}
