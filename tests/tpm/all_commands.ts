/**
 * Every command that `tpm/commands/` declares, found by looking, so that a new
 * one cannot be forgotten by the tests that go through all of them.
 *
 * @module
 */

import { CodecError } from "../../tpm/codec/error.ts";
import type { SomeCommand } from "../../tpm/commands/command.ts";

const DIRECTORY = new URL("../../tpm/commands/", import.meta.url);

function isCommand(value: unknown): value is SomeCommand {
  return typeof value === "object" && value !== null && "code" in value &&
    "parameters" in value;
}

async function declared(): Promise<SomeCommand[]> {
  const commands: SomeCommand[] = [];
  for (const { name } of Deno.readDirSync(DIRECTORY)) {
    const exports: unknown = await import(new URL(name, DIRECTORY).href);
    commands.push(...Object.values(exports as object).filter(isCommand));
  }
  return commands;
}

/** All declared commands. */
export const COMMANDS: readonly SomeCommand[] = await declared();

const BY_CODE = new Map(COMMANDS.map((command) => [command.code, command]));

/** The command with that TPM_CC. Throws CodecError if none is declared. */
export function commandOf(code: number): SomeCommand {
  const command = BY_CODE.get(code);
  if (command === undefined) {
    throw new CodecError(`no command has the code 0x${code.toString(16)}`, 6);
  }
  return command;
}
