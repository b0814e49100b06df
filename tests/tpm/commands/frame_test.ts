import assert from "node:assert/strict";
import fc from "fast-check";
import { CodecError } from "../../../tpm/codec/error.ts";
import {
  type CommandFrame,
  decodeCommand,
  decodeResponse,
  encodeCommand,
  encodeResponse,
  MAX_FRAME_SIZE,
  type ResponseFrame,
} from "../../../tpm/commands/frame.ts";
import type { AuthCommand } from "../../../tpm/spec/session.ts";
import { authCommand, authResponse, bytes, record } from "../arbitraries.ts";

const EMPTY = new Uint8Array(0);
const PASSWORD: AuthCommand = {
  sessionHandle: 0x4000_0009,
  nonce: EMPTY,
  sessionAttributes: { continueSession: true },
  hmac: EMPTY,
};

function assertRefused(read: () => unknown, message: RegExp): void {
  assert.throws(read, (error) => {
    assert.ok(error instanceof CodecError, String(error));
    assert.match(error.message, message);
    return true;
  });
}

Deno.test("encodeCommand() and decodeCommand() undo each other", () => {
  const frames: fc.Arbitrary<CommandFrame> = record({
    code: fc.nat(0xffff_ffff),
    handles: fc.array(fc.nat(0xffff_ffff), { maxLength: 3 }),
    authorizations: fc.array(authCommand, { maxLength: 3 }),
    parameters: bytes(500),
  });
  fc.assert(fc.property(frames, (frame) => {
    const again = decodeCommand(
      encodeCommand(frame),
      () => frame.handles.length,
    );
    assert.deepEqual(again, frame);
  }));
});

Deno.test("encodeResponse() and decodeResponse() undo each other", () => {
  const frames: fc.Arbitrary<ResponseFrame> = record({
    responseCode: fc.constant(0),
    handle: fc.option(fc.nat(0xffff_ffff), { nil: undefined }),
    authorizations: fc.array(authResponse, { maxLength: 3 }),
    parameters: bytes(500),
  });
  fc.assert(fc.property(frames, (frame) => {
    const again = decodeResponse(encodeResponse(frame), {
      hasHandle: frame.handle !== undefined,
      sessions: frame.authorizations.length,
    });
    assert.deepEqual(again, frame);
  }));
});

Deno.test("encodeCommand() refuses what no TPM takes", async (t) => {
  const frame = { code: 0x17b, handles: [], authorizations: [] };
  await t.step("more than 4096 bytes", () => {
    const fits = new Uint8Array(MAX_FRAME_SIZE - 10);
    encodeCommand({ ...frame, parameters: fits });
    const parameters = new Uint8Array(fits.length + 1);
    assertRefused(
      () => encodeCommand({ ...frame, parameters }),
      /the command has 4097 bytes, more than 4096/,
    );
  });
  await t.step("more than three sessions", () => {
    const authorizations = [PASSWORD, PASSWORD, PASSWORD, PASSWORD];
    assertRefused(
      () => encodeCommand({ ...frame, authorizations, parameters: EMPTY }),
      /more than three sessions/,
    );
  });
});

/** A command with the given bytes after tag, size and code. */
function commandHex(tag: string, rest: string): Uint8Array {
  const size = (10 + rest.length / 2).toString(16).padStart(8, "0");
  return Uint8Array.fromHex(`${tag}${size}0000017b${rest}`);
}

Deno.test("decodeCommand() refuses malformed frames", async (t) => {
  const entry = "40000009" + "0000" + "01" + "0000";
  const four = entry.repeat(4);
  const rows: readonly [string, Uint8Array, RegExp][] = [
    ["a response's tag", commandHex("00c4", ""), /0xc4 is not a command's tag/],
    [
      "a size over the end",
      Uint8Array.fromHex("80010000000b0000017b"),
      /size says 11, there are 10 bytes at byte 2/,
    ],
    [
      "a missing size",
      commandHex("8002", ""),
      /4 bytes are needed, 0 are left/,
    ],
    [
      "an area that is not there",
      commandHex("8002", "00000009"),
      /9 bytes are needed, 0 are left/,
    ],
    [
      "an area that ends inside an entry",
      commandHex("8002", `00000008${entry}`),
      /hmac|2 bytes are needed, 1 are left/,
    ],
    [
      "an area with four sessions",
      commandHex("8002", `00000024${four}`),
      /more than three sessions/,
    ],
    [
      "an area without sessions",
      commandHex("8002", "00000000"),
      /no session, though the tag announces some/,
    ],
  ];
  for (const [name, bytes, message] of rows) {
    await t.step(name, () => {
      assertRefused(() => decodeCommand(bytes, () => 0), message);
    });
  }
});

Deno.test("decodeResponse() refuses what the command cannot have", async (t) => {
  const plain = { hasHandle: false, sessions: 0 };
  const secured = { hasHandle: false, sessions: 1 };
  const rows: readonly [string, string, typeof plain, RegExp][] = [
    ["nothing", "", plain, /2 bytes are needed, 0 are left/],
    ["half a header", "80010000000a0000", plain, /size says 10, there are 8/],
    ["a size too small", "80010000000900000000", plain, /size says 9/],
    ["a huge size", "8001ffffffff00000000", plain, /size says 4294967295/],
    [
      "sessions that were not sent",
      "80020000000a00000000",
      plain,
      /tag is 0x8002, not 0x8001/,
    ],
    [
      "no sessions where some were sent",
      "80010000000a00000000",
      secured,
      /tag is 0x8001, not 0x8002/,
    ],
    ["a TPM 1.2 tag", "00c40000000a00000000", plain, /tag is 0xc4/],
    [
      "sessions on a refusal",
      "80020000000a00000101",
      secured,
      /tag is 0x8002, not 0x8001/,
    ],
    [
      "bytes after a refusal",
      "80010000000b0000010100",
      plain,
      /1 bytes are left over at byte 10/,
    ],
    [
      "no handle",
      "80010000000a00000000",
      { hasHandle: true, sessions: 0 },
      /4 bytes are needed, 0 are left/,
    ],
    [
      "a parameter size over the end",
      "800200000013000000000000ffff0000010000",
      secured,
      /65535 bytes are needed, 5 are left/,
    ],
    [
      "no acknowledgment",
      "80020000000e0000000000000000",
      secured,
      /^session 1\.nonce: 2 bytes are needed, 0 are left/,
    ],
    [
      "an acknowledgment too many",
      "80020000001800000000000000000000010000" + "0000010000",
      secured,
      /5 bytes are left over/,
    ],
  ];
  for (const [name, hex, expected, message] of rows) {
    await t.step(name, () => {
      const response = Uint8Array.fromHex(hex);
      assertRefused(() => decodeResponse(response, expected), message);
    });
  }
});

Deno.test("decodeResponse() takes a refusal with either tag", async (t) => {
  for (const tag of ["8001", "00c4"]) {
    await t.step(tag, () => {
      const frame = decodeResponse(
        Uint8Array.fromHex(`${tag}0000000a0000001e`),
        { hasHandle: true, sessions: 2 },
      );
      assert.deepEqual(frame, {
        responseCode: 0x1e,
        handle: undefined,
        parameters: EMPTY,
        authorizations: [],
      });
    });
  }
});
