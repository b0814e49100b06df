/**
 * Commands and responses as they cross the wire. TPM 2.0 Part 1,
 * "Command/Response Structure".
 *
 * @module
 */

import type { Bytes } from "../codec/buffer.ts";
import { CodecError, within } from "../codec/error.ts";
import { Reader } from "../codec/reader.ts";
import { Writer } from "../codec/writer.ts";
import {
  type AuthCommand,
  type AuthResponse,
  TPMS_AUTH_COMMAND,
  TPMS_AUTH_RESPONSE,
} from "../spec/session.ts";

/** Tag, size and code: before every command and response. */
export const HEADER_SIZE = 10;
/** The most that a TPM in use answers, and what its driver buffers. */
export const MAX_FRAME_SIZE = 4096;
/** A command may have this many sessions. */
const MAX_SESSIONS = 3;

const TAG_NO_SESSIONS = 0x8001;
const TAG_SESSIONS = 0x8002;
/** What a TPM answers to a command whose tag it cannot read. */
const TAG_RSP_COMMAND = 0x00c4;

/** A command's parts. */
export interface CommandFrame {
  /** TPM_CC. */
  readonly code: number;
  /** Its handles. */
  readonly handles: readonly number[];
  /** Its authorization area; empty for a command without sessions. */
  readonly authorizations: readonly AuthCommand[];
  /** Its parameter area. */
  readonly parameters: Bytes;
}

/** A response's parts. */
export interface ResponseFrame {
  /** TPM_RC; the other fields are empty unless it is 0. */
  readonly responseCode: number;
  /** Its handle, if the command returns one. */
  readonly handle: number | undefined;
  /** Its parameter area. */
  readonly parameters: Bytes;
  /** Its acknowledgments, one for each session of the command. */
  readonly authorizations: readonly AuthResponse[];
}

function tooManySessions(at: number): CodecError {
  return new CodecError("more than three sessions", at);
}

/** The command as bytes. Throws CodecError if it exceeds what TPMs take. */
export function encodeCommand(frame: CommandFrame): Bytes {
  if (frame.authorizations.length > MAX_SESSIONS) throw tooManySessions(0);
  const writer = new Writer();
  const hasSessions = frame.authorizations.length > 0;
  const body = new Writer();
  body.u32(frame.code);
  frame.handles.forEach((handle) => body.u32(handle));
  if (hasSessions) {
    body.prefixed((area) => {
      for (const entry of frame.authorizations) {
        TPMS_AUTH_COMMAND.write(area, entry);
      }
    }, 4);
  }
  body.put(frame.parameters);
  writer.u16(hasSessions ? TAG_SESSIONS : TAG_NO_SESSIONS);
  writer.u32(6 + body.length);
  writer.put(body.finish());
  if (writer.length > MAX_FRAME_SIZE) {
    throw new CodecError(
      `the command has ${writer.length} bytes, more than ${MAX_FRAME_SIZE}`,
      0,
    );
  }
  return writer.finish();
}

function readHeader(
  reader: Reader,
  total: number,
): { readonly tag: number; readonly code: number } {
  const tag = reader.u16();
  const size = reader.u32();
  if (size !== total) {
    throw new CodecError(`size says ${size}, there are ${total} bytes`, 2);
  }
  return { tag, code: reader.u32() };
}

/**
 * The parts of a command.
 *
 * @param handleCount how many handles the command with a given code has
 */
export function decodeCommand(
  bytes: Uint8Array,
  handleCount: (code: number) => number,
): CommandFrame {
  const reader = new Reader(bytes);
  const { tag, code } = readHeader(reader, bytes.length);
  if (tag !== TAG_SESSIONS && tag !== TAG_NO_SESSIONS) {
    throw new CodecError(`0x${tag.toString(16)} is not a command's tag`, 0);
  }
  const handles = Array.from({ length: handleCount(code) }, () => reader.u32());
  const authorizations: AuthCommand[] = [];
  if (tag === TAG_SESSIONS) {
    const area = reader.window(reader.u32());
    while (area.remaining > 0) {
      if (authorizations.length === MAX_SESSIONS) {
        throw tooManySessions(area.offset);
      }
      authorizations.push(TPMS_AUTH_COMMAND.read(area));
    }
    if (authorizations.length === 0) {
      throw new CodecError(
        "no session, though the tag announces some",
        area.offset,
      );
    }
  }
  return {
    code,
    handles,
    authorizations,
    parameters: reader.take(reader.remaining),
  };
}

/**
 * The parts of a response, all of it accounted for.
 *
 * @param expected whether the command returns a handle and how many sessions
 * it was sent with
 */
export function decodeResponse(
  bytes: Uint8Array,
  expected: { readonly hasHandle: boolean; readonly sessions: number },
): ResponseFrame {
  const reader = new Reader(bytes);
  const { tag, code: responseCode } = readHeader(reader, bytes.length);
  const refused = responseCode !== 0;
  const wanted = refused || expected.sessions === 0
    ? TAG_NO_SESSIONS
    : TAG_SESSIONS;
  if (tag !== wanted && !(refused && tag === TAG_RSP_COMMAND)) {
    throw new CodecError(
      `tag is 0x${tag.toString(16)}, not 0x${wanted.toString(16)}`,
      0,
    );
  }
  if (refused) {
    reader.expectEnd();
    const parameters = reader.take(0);
    return { responseCode, handle: undefined, parameters, authorizations: [] };
  }
  const handle = expected.hasHandle ? reader.u32() : undefined;
  if (expected.sessions === 0) {
    const parameters = reader.take(reader.remaining);
    return { responseCode, handle, parameters, authorizations: [] };
  }
  const parameters = reader.take(reader.u32());
  const authorizations = Array.from({ length: expected.sessions }, (_, at) => {
    try {
      return TPMS_AUTH_RESPONSE.read(reader);
    } catch (error) {
      throw within(error, `session ${at + 1}`);
    }
  });
  reader.expectEnd();
  return { responseCode, handle, parameters, authorizations };
}

/** A successful or refused response as bytes, for what plays a TPM. */
export function encodeResponse(frame: ResponseFrame): Bytes {
  const body = new Writer();
  const hasSessions = frame.authorizations.length > 0;
  body.u32(frame.responseCode);
  if (frame.handle !== undefined) body.u32(frame.handle);
  if (hasSessions) body.u32(frame.parameters.length);
  body.put(frame.parameters);
  for (const entry of frame.authorizations) {
    TPMS_AUTH_RESPONSE.write(body, entry);
  }
  const writer = new Writer();
  writer.u16(hasSessions ? TAG_SESSIONS : TAG_NO_SESSIONS);
  writer.u32(6 + body.length);
  writer.put(body.finish());
  return writer.finish();
}
