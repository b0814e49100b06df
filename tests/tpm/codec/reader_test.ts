import assert from "node:assert/strict";
import { CodecError } from "../../../tpm/codec/error.ts";
import { Reader } from "../../../tpm/codec/reader.ts";

const BYTES = Uint8Array.fromHex("ff0102030405060708090a0b0c0d0e0f");

Deno.test("Reader reads big-endian numbers one after the other", () => {
  const reader = new Reader(BYTES);
  assert.equal(reader.u8(), 0xff);
  assert.equal(reader.u16(), 0x0102);
  assert.equal(reader.u32(), 0x0304_0506);
  assert.equal(reader.u64(), 0x0708_090a_0b0c_0d0en);
  assert.equal(reader.offset, 15);
  assert.equal(reader.remaining, 1);
});

Deno.test("Reader reads unsigned numbers", () => {
  const ones = new Uint8Array(15).fill(0xff);
  const reader = new Reader(ones);
  assert.equal(reader.u8(), 0xff);
  assert.equal(reader.u16(), 0xffff);
  assert.equal(reader.u32(), 0xffff_ffff);
  assert.equal(reader.u64(), 0xffff_ffff_ffff_ffffn);
});

Deno.test("Reader refuses to read past the end and stays where it is", async (t) => {
  const reads: readonly [string, number, (reader: Reader) => unknown][] = [
    ["u8", 1, (reader) => reader.u8()],
    ["u16", 2, (reader) => reader.u16()],
    ["u32", 4, (reader) => reader.u32()],
    ["u64", 8, (reader) => reader.u64()],
    ["take", 9, (reader) => reader.take(9)],
    ["take of a hostile size", 2 ** 32, (reader) => reader.take(2 ** 32)],
    ["window", 9, (reader) => reader.window(9)],
  ];
  for (const [name, size, read] of reads) {
    await t.step(name, () => {
      const left = Math.min(size, 9) - 1;
      const reader = new Reader(BYTES.subarray(0, left));
      assert.throws(
        () => read(reader),
        new CodecError(`${size} bytes are needed, ${left} are left`, 0),
      );
      assert.equal(reader.offset, 0);
    });
  }
});

Deno.test("Reader reads a view into a larger buffer", () => {
  const reader = new Reader(BYTES.subarray(3, 7));
  assert.equal(reader.u16(), 0x0304);
  assert.equal(reader.take(2).toHex(), "0506");
  assert.equal(reader.remaining, 0);
});

Deno.test("take() gives a copy", () => {
  const bytes = BYTES.slice();
  const taken = new Reader(bytes).take(2);
  bytes.fill(0);
  assert.equal(taken.toHex(), "ff01");
});

Deno.test("window() ends where it is told and keeps counting offsets", () => {
  const reader = new Reader(BYTES);
  reader.u8();
  const window = reader.window(2);
  assert.equal(reader.offset, 3);
  assert.equal(window.offset, 1);
  assert.equal(window.u16(), 0x0102);
  assert.throws(
    () => window.u8(),
    new CodecError("1 bytes are needed, 0 are left", 3),
  );
});

Deno.test("expectEnd() refuses leftovers", () => {
  const reader = new Reader(BYTES);
  reader.take(BYTES.length - 2);
  assert.throws(
    () => reader.expectEnd(),
    new CodecError("2 bytes are left over", 14),
  );
  reader.u16();
  reader.expectEnd();
});
