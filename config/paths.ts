/**
 * Completing the paths of files: the keyword `default`, relative paths, and
 * empty values. Contract section 1.3.
 *
 * @module
 */

import { isAbsolute } from "node:path";
import type { PathRule } from "./option.ts";
import { OPTIONS, type PathName } from "./options.ts";
import { whereIs } from "./origin.ts";
import { namesIn, type Resolution } from "./resolution.ts";

/** The absolute path that option `name` stands for. */
export function pathOf(name: PathName, resolution: Resolution): string {
  const { value } = resolution.settings[name];
  return value === ""
    ? defaultOf(name, resolution)
    : completed(value, OPTIONS[name].path, resolution.keylimeDir);
}

/** The absolute path of option `name`, or undefined where it names no file. */
export function optionalPathOf(
  name: PathName,
  resolution: Resolution,
): string | undefined {
  const { value } = resolution.settings[name];
  return value === "" && OPTIONS[name].path.empty === "none"
    ? undefined
    : pathOf(name, resolution);
}

/**
 * The absolute paths in the list that option `name` holds.
 *
 * @throws {ConfigError} when it is no list
 */
export function pathsOf(
  name: PathName,
  resolution: Resolution,
): readonly string[] {
  const setting = resolution.settings[name];
  if (setting.value === "") return [defaultOf(name, resolution)];
  return namesIn(setting).map((item) =>
    completed(item, OPTIONS[name].path, resolution.keylimeDir)
  );
}

/** The default of option `name`, with a warning that it is empty. */
function defaultOf(
  name: PathName,
  { settings, keylimeDir, warn }: Resolution,
): string {
  const path = completed("default", OPTIONS[name].path, keylimeDir);
  warn(
    `${whereIs(settings[name].origin)}: option "${name}" is empty, ` +
      `so its default "${path}" is used`,
  );
  return path;
}

function completed(value: string, rule: PathRule, keylimeDir: string): string {
  if (isAbsolute(value)) return value;
  const base = rule.base === "/" ? "" : keylimeDir;
  return `${base}/${value === "default" ? rule.file : value}`;
}
