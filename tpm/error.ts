import type { SomeCommand } from "./commands/command.ts";
import {
  parseResponseCode,
  type ResponseCode,
  type ResponseCodeName,
} from "./spec/response_codes.ts";
import { formatHandle } from "./spec/handles.ts";

/** What a command blames by its number, by its name in Part 3. */
function blamed(command: SomeCommand, { subject }: ResponseCode): string {
  if (subject === undefined) return "";
  const { kind, number } = subject;
  const name = kind === "parameter"
    ? command.parameterNames[number - 1]
    : kind === "handle"
    ? command.handles[number - 1]?.[0]
    : undefined;
  return ` for ${kind} ${number}${name === undefined ? "" : ` (${name})`}`;
}

/** The TPM refused a command. */
export class TpmError extends Error {
  /** The class's name, also after bundling. */
  override readonly name = "TpmError";
  /** The command's name in TPM 2.0 Part 3. */
  readonly command: string;
  /** What the TPM answered. */
  readonly code: ResponseCode;

  /** The refusal `responseCode` of `command`, sent with `handles`. */
  constructor(
    command: SomeCommand,
    responseCode: number,
    handles: readonly number[] = [],
  ) {
    const code = parseResponseCode(responseCode);
    const raw = `0x${responseCode.toString(16).padStart(3, "0")}`;
    const on = handles.length === 0
      ? ""
      : ` on ${handles.map(formatHandle).join(", ")}`;
    super(
      `${command.name}${on} failed: ${
        code.name ?? "unknown response code"
      } (${raw})${blamed(command, code)}`,
    );
    this.command = command.name;
    this.code = code;
  }

  /** Whether the TPM answered `name`, whatever part of the command it blames. */
  is(name: ResponseCodeName): boolean {
    return this.code.name === name;
  }
}
