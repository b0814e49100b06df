import assert from "node:assert/strict";
import fc from "fast-check";
import {
  buffer,
  fixed,
  list,
  optionalSized,
  shortBuffer,
  sized,
} from "../../../tpm/codec/buffer.ts";
import { decode, encode } from "../../../tpm/codec/codec.ts";
import { CodecError } from "../../../tpm/codec/error.ts";
import { u16, u8 } from "../../../tpm/codec/scalars.ts";

function bytes(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(hex);
}

const NONCE = buffer("NONCE", 4);
const SELECT = shortBuffer("SELECT", 4);
const DIGEST = fixed("DIGEST", 3);
const SIZED = sized("SIZED", u16);
const OPTIONAL = optionalSized("OPTIONAL", u16);
const LIST = list("LIST", u16, 3);

Deno.test("buffer() is a size and that many bytes", () => {
  assert.equal(encode(NONCE, bytes("0a0b")).toHex(), "00020a0b");
  assert.equal(decode(NONCE, bytes("00020a0b")).toHex(), "0a0b");
  assert.equal(decode(NONCE, bytes("0000")).length, 0);
});

Deno.test("shortBuffer() is a one-byte size and that many bytes", () => {
  assert.equal(encode(SELECT, bytes("0a0b")).toHex(), "020a0b");
  assert.equal(decode(SELECT, bytes("020a0b")).toHex(), "0a0b");
});

Deno.test("sized() is the size of a structure and the structure", () => {
  assert.equal(encode(SIZED, 0x1234).toHex(), "00021234");
  assert.equal(decode(SIZED, bytes("00021234")), 0x1234);
});

Deno.test("optionalSized() has no structure where the size is zero", () => {
  assert.equal(encode(OPTIONAL, undefined).toHex(), "0000");
  assert.equal(decode(OPTIONAL, bytes("0000")), undefined);
  assert.equal(encode(OPTIONAL, 0).toHex(), "00020000");
  assert.equal(decode(OPTIONAL, bytes("00020000")), 0);
});

Deno.test("list() is a count and that many elements", () => {
  assert.equal(encode(LIST, [1, 2]).toHex(), "0000000200010002");
  assert.deepEqual(decode(LIST, bytes("0000000200010002")), [1, 2]);
  assert.deepEqual(decode(LIST, bytes("00000000")), []);
});

Deno.test("hostile sizes are refused by their bound", async (t) => {
  const rows: readonly [string, () => unknown, RegExp][] = [
    [
      "buffer over its maximum",
      () => decode(NONCE, bytes("ffff")),
      /^NONCE: 65535 bytes exceed the maximum of 4 at byte 0$/,
    ],
    [
      "buffer over the input",
      () => decode(NONCE, bytes("00040a0b0c")),
      /^NONCE: 4 bytes are needed, 3 are left at byte 2$/,
    ],
    [
      "short buffer over its maximum",
      () => decode(SELECT, bytes("ff")),
      /^SELECT: 255 bytes exceed the maximum of 4 at byte 0$/,
    ],
    [
      "fixed over the input",
      () => decode(DIGEST, bytes("0102")),
      /^DIGEST: 3 bytes are needed, 2 are left at byte 0$/,
    ],
    [
      "structure over the input",
      () => decode(SIZED, bytes("ffff0000")),
      /^SIZED: 65535 bytes are needed, 2 are left at byte 2$/,
    ],
    [
      "structure larger than its size says",
      () => decode(SIZED, bytes("000112")),
      /^SIZED: 2 bytes are needed, 1 are left at byte 2$/,
    ],
    [
      "structure smaller than its size says",
      () => decode(SIZED, bytes("0003123456")),
      /^SIZED: 1 bytes are left over at byte 4$/,
    ],
    [
      "optional structure smaller than its size says",
      () => decode(OPTIONAL, bytes("0003123456")),
      /^OPTIONAL: 1 bytes are left over at byte 4$/,
    ],
    [
      "list over its maximum",
      () => decode(LIST, bytes("ffffffff")),
      /^LIST: 4294967295 entries exceed the maximum of 3 at byte 0$/,
    ],
    [
      "list over the input",
      () => decode(LIST, bytes("00000003000100")),
      /^LIST\.1: 2 bytes are needed, 1 are left at byte 6$/,
    ],
  ];
  for (const [name, read, message] of rows) {
    await t.step(name, () => {
      assert.throws(read, (error) => {
        assert.ok(error instanceof CodecError);
        assert.match(error.message, message);
        return true;
      });
    });
  }
});

Deno.test("values over their bound are not written", async (t) => {
  const five = new Uint8Array(5);
  const rows: readonly [string, () => unknown, RegExp][] = [
    ["buffer", () => encode(NONCE, five), /5 bytes exceed the maximum of 4/],
    ["short", () => encode(SELECT, five), /5 bytes exceed the maximum of 4/],
    ["fixed", () => encode(DIGEST, five), /5 bytes are given, DIGEST has 3/],
    ["list", () => encode(LIST, [1, 2, 3, 4]), /4 entries exceed .* of 3/],
    ["element", () => encode(LIST, [1, 0x1_0000]), /^\S*LIST\.1: 65536 is not/],
  ];
  for (const [name, write, message] of rows) {
    await t.step(name, () => {
      assert.throws(write, (error) => {
        assert.ok(error instanceof CodecError);
        assert.match(error.message, message);
        return true;
      });
    });
  }
});

Deno.test("list() allocates for elements that are there, not for its count", () => {
  const huge = list("HUGE", u8, 0xffff_ffff);
  assert.throws(() => decode(huge, bytes("ffffffff")), CodecError);
});

Deno.test("buffers survive their encoding and share no memory", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 4 }), (value) => {
    const encoded = encode(NONCE, Uint8Array.from(value));
    const decoded = decode(NONCE, encoded);
    encoded.fill(0);
    assert.equal(decoded.toHex(), value.toHex());
  }));
});
