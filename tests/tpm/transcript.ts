/**
 * Recorded exchanges with a TPM, and how the library's codecs take commands
 * and responses apart and put them together again.
 *
 * @module
 */

import type { Bytes } from "../../tpm/codec/buffer.ts";
import { type Codec, decode, encode } from "../../tpm/codec/codec.ts";
import { struct } from "../../tpm/codec/struct.ts";
import {
  type CommandFrame,
  decodeCommand,
  decodeResponse,
  encodeCommand,
  encodeResponse,
  type ResponseFrame,
} from "../../tpm/commands/frame.ts";
import { Create } from "../../tpm/commands/object.ts";
import { ENCRYPTED_PARAMETER, TPM2B_DATA } from "../../tpm/spec/buffers.ts";
import { TPML_PCR_SELECTION } from "../../tpm/spec/pcr.ts";
import { TPM2B_PUBLIC } from "../../tpm/spec/public.ts";
import { commandOf } from "./all_commands.ts";

const DIRECTORY = new URL("../fixtures/tpm/transcripts/", import.meta.url);

/** Fields that an independent program found, and secrets that it chose. */
export type Fields = { readonly [field: string]: unknown };

/** One recorded command and its response. */
export interface RecordedExchange {
  /** File and line, for messages. */
  readonly place: string;
  /** Its name in the recording. */
  readonly name: string;
  readonly command: Bytes;
  readonly response: Bytes;
  /** What an independent program read in the response. */
  readonly decoded: Fields;
  /** Secrets behind the exchange, where they are known. */
  readonly extra: Fields;
}

/** The exchanges of one recording, in order. */
export function recording(file: string): RecordedExchange[] {
  return Deno.readTextFileSync(new URL(file, DIRECTORY)).trimEnd().split("\n")
    .map((line) => {
      const raw = JSON.parse(line);
      return {
        place: `${file} ${raw.name}`,
        name: raw.name,
        command: Uint8Array.fromHex(raw.command_hex),
        response: Uint8Array.fromHex(raw.response_hex),
        decoded: raw.decoded,
        extra: raw.extra ?? {},
      };
    });
}

/** Every recorded exchange. */
export const EXCHANGES: readonly RecordedExchange[] = [
  ...Deno.readDirSync(DIRECTORY),
].map(({ name }) => name).filter((name) => name.endsWith(".jsonl")).sort()
  .flatMap(recording);

/** TPM2_Create where a session has encrypted its first parameter. */
const ENCRYPTED_CREATE = struct("TPM2_Create", {
  inSensitive: ENCRYPTED_PARAMETER,
  inPublic: TPM2B_PUBLIC,
  outsideInfo: TPM2B_DATA,
  creationPCR: TPML_PCR_SELECTION,
});

/** The codec of the parameters of `frame`, as they are on the wire. */
function parametersOf(frame: CommandFrame): Codec<unknown> {
  const isEncrypted = frame.authorizations.some((entry) =>
    entry.sessionAttributes.decrypt
  );
  const codec = isEncrypted && frame.code === Create.code
    ? ENCRYPTED_CREATE
    : commandOf(frame.code).parameters;
  return codec as Codec<unknown>;
}

/** A command taken apart. */
export interface TakenCommand {
  readonly frame: CommandFrame;
  /** Its decoded parameters. */
  readonly input: unknown;
}

/** The parts of the command `bytes`. Throws CodecError. */
export function takeCommand(bytes: Uint8Array): TakenCommand {
  const frame = decodeCommand(bytes, (code) => commandOf(code).handles.length);
  return { frame, input: decode(parametersOf(frame), frame.parameters) };
}

/** The command that {@linkcode takeCommand} took apart. */
export function giveCommand({ frame, input }: TakenCommand): Bytes {
  return encodeCommand({
    ...frame,
    parameters: encode(parametersOf(frame), input),
  });
}

/** What has to be known of a command to take its response apart. */
export interface Sent {
  readonly code: number;
  readonly sessions: number;
}

/** A response taken apart. */
export interface TakenResponse {
  readonly frame: ResponseFrame;
  /** Its decoded parameters; undefined if the TPM refused. */
  readonly output: unknown;
}

/** The parts of the response `bytes`. Throws CodecError. */
export function takeResponse(bytes: Uint8Array, sent: Sent): TakenResponse {
  const command = commandOf(sent.code);
  const frame = decodeResponse(bytes, {
    hasHandle: command.responseHandle !== undefined,
    sessions: sent.sessions,
  });
  const codec = command.response as Codec<unknown>;
  const output = frame.responseCode === 0
    ? decode(codec, frame.parameters)
    : undefined;
  return { frame, output };
}

/** The response that {@linkcode takeResponse} took apart. */
export function giveResponse(taken: TakenResponse, sent: Sent): Bytes {
  const { frame, output } = taken;
  const codec = commandOf(sent.code).response as Codec<unknown>;
  return encodeResponse({
    ...frame,
    parameters: frame.responseCode === 0
      ? encode(codec, output)
      : frame.parameters,
  });
}
