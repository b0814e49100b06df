/**
 * Merging the sources of configuration, later ones over earlier ones: built-in
 * defaults, files, environment. Contract section 1.1.
 *
 * @module
 */

import { quoted } from "../log/log.ts";
import { refusal } from "./error.ts";
import type { ConfigFiles } from "./files.ts";
import {
  isOptionName,
  OPTION_NAMES,
  type OptionName,
  optionOf,
  variableOf,
} from "./options.ts";
import { BUILT_IN, type Origin, whereIs } from "./origin.ts";
import type { Setting, Settings } from "./settings.ts";
import { CONFIG_VARIABLE, findFiles, type SourceFile } from "./source_files.ts";
import { parseAgentTable } from "./toml.ts";
import { acceptedBy, coerce, toText } from "./values.ts";

/** All that configuration depends on. */
export interface ConfigInputs {
  /** The file system that configuration is read from. */
  readonly files: ConfigFiles;
  /** The process's environment variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The effective user id of this process. */
  readonly uid: number;
}

/** The merged sources. */
export interface Sources {
  /** The value of every option, coerced. */
  readonly settings: Settings;
  /** Sentences for the administrator. */
  readonly warnings: readonly string[];
  /** One line for each option that a variable set; no passwords. */
  readonly environment: readonly string[];
}

/** What one source sets, as it gave it. */
type Layer = Map<OptionName, Setting<unknown>>;

/**
 * Reads and merges every source, and coerces each value to its option's type.
 *
 * @throws {ConfigError} when a source cannot be read or a value not coerced
 */
export async function readSources(
  { files, environment }: ConfigInputs,
): Promise<Sources> {
  const warnings: string[] = [];
  const fromFiles: Layer = new Map();
  for (const file of await findFiles(files, environment[CONFIG_VARIABLE])) {
    addFile(fromFiles, file, warnings);
  }
  const fromVariables = readVariables(environment);
  warnings.push(...unknownVariables(environment));

  const merged = new Map<OptionName, Setting>(OPTION_NAMES.map((option) => [
    option,
    { option, value: optionOf(option).default, origin: BUILT_IN },
  ]));
  // Coerced layer by layer: a file's value must have the right type even
  // where a variable overrides it.
  for (const layer of [fromFiles, fromVariables]) {
    for (const [name, setting] of layer) merged.set(name, coerced(setting));
  }
  return {
    // Every name is present, and coerced() keeps to the option's type.
    settings: Object.fromEntries(merged) as unknown as Settings,
    warnings,
    environment: overrides(environment),
  };
}

function coerced(setting: Setting<unknown>): Setting {
  const option = optionOf(setting.option);
  const value = coerce(option, setting.value);
  if (value === undefined) throw refusal(setting, acceptedBy(option));
  return { ...setting, value };
}

function addFile(layer: Layer, file: SourceFile, warnings: string[]): void {
  const { origin } = file;
  const table = parseAgentTable(file.bytes, origin);
  warnings.push(...table.warnings);
  for (const [name, value] of table.entries) {
    if (!isOptionName(name)) {
      warnings.push(
        `${whereIs(origin)} sets unknown option ${quoted(name)}, ` +
          "which is ignored",
      );
      continue;
    }
    layer.set(name, { option: name, value, origin });
    if (file.isWorldReadable && isSecret(name) && toText(value) !== "") {
      warnings.push(
        `${whereIs(origin)} holds the password of option "${name}" and ` +
          "every user can read it; set its mode to 0600",
      );
    }
  }
}

function isSecret(name: OptionName): boolean {
  const option = optionOf(name);
  return option.type === "text" && option.secret === true;
}

function readVariables(environment: ConfigInputs["environment"]): Layer {
  const layer: Layer = new Map();
  const set = (option: OptionName, variable: string): void => {
    const value = environment[variable];
    if (value === undefined) return;
    const origin: Origin = { kind: "environment", variable };
    layer.set(option, { option, value, origin });
  };
  for (const name of OPTION_NAMES) set(name, variableOf(name));
  if (environment["KEYLIME_DIR"] !== "") set("keylime_dir", "KEYLIME_DIR");
  return layer;
}

function unknownVariables(
  environment: ConfigInputs["environment"],
): readonly string[] {
  const known = new Set([CONFIG_VARIABLE, ...OPTION_NAMES.map(variableOf)]);
  return Object.keys(environment)
    .filter((name) => name.startsWith("KEYLIME_AGENT_") && !known.has(name))
    .map((variable) =>
      `${whereIs({ kind: "environment", variable })} names no option, ` +
      "so it is ignored"
    );
}

/** The debug lines that the public test-suite searches the log for. */
function overrides(
  environment: ConfigInputs["environment"],
): readonly string[] {
  return OPTION_NAMES.flatMap((name) => {
    const value = environment[variableOf(name)];
    if (value === undefined) return [];
    const shown = isSecret(name)
      ? "***"
      : /^[\x20-\x7e]*$/.test(value)
      ? value
      : quoted(value);
    return [`Environment configuration ${name}=${shown}`];
  });
}
