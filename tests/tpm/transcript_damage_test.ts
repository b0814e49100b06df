import assert from "node:assert/strict";
import { CodecError } from "../../tpm/codec/error.ts";
import {
  EXCHANGES,
  giveCommand,
  giveResponse,
  type Sent,
  takeCommand,
  takeResponse,
} from "./transcript.ts";

/** A recorded frame and how it is taken apart. */
interface Frame {
  readonly place: string;
  readonly bytes: Uint8Array;
  /** Decodes `bytes` and encodes the result. */
  readonly recode: (bytes: Uint8Array) => Uint8Array;
}

function recodeCommand(bytes: Uint8Array): Uint8Array {
  return giveCommand(takeCommand(bytes));
}

function recodeResponse(sent: Sent): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => giveResponse(takeResponse(bytes, sent), sent);
}

/** Every well-formed recorded frame, each sequence of bytes once. */
function recordedFrames(): Frame[] {
  const frames = new Map<string, Frame>();
  for (const { place, command, response } of EXCHANGES) {
    try {
      const { frame } = takeCommand(command);
      const sent = { code: frame.code, sessions: frame.authorizations.length };
      frames.set(command.toHex(), {
        place: `${place}, command`,
        bytes: command,
        recode: recodeCommand,
      });
      frames.set(`${JSON.stringify(sent)} ${response.toHex()}`, {
        place: `${place}, response`,
        bytes: response,
        recode: recodeResponse(sent),
      });
    } catch (error) {
      assert.ok(error instanceof CodecError);
    }
  }
  return [...frames.values()];
}

const FRAMES = recordedFrames();

/** `bytes` with its size field made to fit. */
function resized(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 6) return bytes;
  const copy = bytes.slice();
  new DataView(copy.buffer).setUint32(2, copy.length);
  return copy;
}

function assertRefused(frame: Frame, bytes: Uint8Array, what: string): void {
  try {
    frame.recode(bytes);
  } catch (error) {
    if (error instanceof CodecError) return;
    throw new Error(`${frame.place}, ${what}`, { cause: error });
  }
  assert.fail(`${frame.place}, ${what}, is accepted`);
}

Deno.test("every strict prefix of every recorded frame is refused", () => {
  for (const frame of FRAMES) {
    for (let size = 0; size < frame.bytes.length; size++) {
      const prefix = frame.bytes.subarray(0, size);
      assertRefused(frame, prefix, `cut to ${size} bytes`);
      assertRefused(frame, resized(prefix), `whole with ${size} bytes`);
    }
  }
});

Deno.test("every recorded frame with a byte more is refused", () => {
  for (const frame of FRAMES) {
    for (const last of [0x00, 0xff]) {
      const longer = Uint8Array.of(...frame.bytes, last);
      assertRefused(frame, longer, "with a byte after it");
      assertRefused(frame, resized(longer), "with a byte more");
    }
  }
});

/** One frame for each kind and length: what is structurally different. */
function distinctFrames(): Frame[] {
  const kinds = new Map<string, Frame>();
  for (const frame of FRAMES) {
    const header = frame.bytes.subarray(0, 10).toHex();
    kinds.set(`${frame.recode === recodeCommand} ${header}`, frame);
  }
  return [...kinds.values()];
}

Deno.test("a frame with one byte changed is refused, or means what it says", () => {
  for (const frame of distinctFrames()) {
    for (let at = 0; at < frame.bytes.length; at++) {
      for (const change of [0x01, 0x80, 0xff]) {
        const bytes = frame.bytes.slice();
        bytes[at] = (bytes[at] ?? 0) ^ change;
        const place = `${frame.place}, byte ${at} ^ ${change}`;
        try {
          assert.equal(frame.recode(bytes).toHex(), bytes.toHex(), place);
        } catch (error) {
          assert.ok(error instanceof CodecError, `${place}: ${error}`);
        }
      }
    }
  }
});
