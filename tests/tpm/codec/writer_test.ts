import assert from "node:assert/strict";
import { CodecError } from "../../../tpm/codec/error.ts";
import { Writer } from "../../../tpm/codec/writer.ts";

Deno.test("Writer writes big-endian numbers one after the other", () => {
  const writer = new Writer();
  writer.u8(0xff);
  writer.u16(0x0102);
  writer.u32(0xf304_0506);
  writer.u64(0xf708_090a_0b0c_0d0en);
  writer.put(Uint8Array.of(0x0f));
  assert.equal(writer.finish().toHex(), "ff0102f3040506f708090a0b0c0d0e0f");
});

Deno.test("Writer keeps everything when its buffer grows", () => {
  const writer = new Writer();
  const expected: string[] = [];
  for (let index = 0; index < 5000; index++) {
    writer.u16(index);
    expected.push(index.toString(16).padStart(4, "0"));
  }
  writer.put(new Uint8Array(100_000).fill(7));
  assert.equal(writer.length, 110_000);
  assert.equal(
    writer.finish().toHex(),
    expected.join("") + "07".repeat(100_000),
  );
});

Deno.test("Writer refuses numbers that do not fit", async (t) => {
  const writes: readonly [string, (writer: Writer) => void][] = [
    ["256 in a byte", (writer) => writer.u8(256)],
    ["-1 in a byte", (writer) => writer.u8(-1)],
    ["2^16 in two bytes", (writer) => writer.u16(0x1_0000)],
    ["a fraction", (writer) => writer.u16(1.5)],
    ["2^32 in four bytes", (writer) => writer.u32(2 ** 32)],
    ["not a number", (writer) => writer.u32(NaN)],
    ["2^64 in eight bytes", (writer) => writer.u64(2n ** 64n)],
    ["-1 in eight bytes", (writer) => writer.u64(-1n)],
  ];
  for (const [name, write] of writes) {
    await t.step(name, () => {
      const writer = new Writer();
      assert.throws(() => write(writer), CodecError);
      assert.equal(writer.length, 0);
    });
  }
});

Deno.test("prefixed() writes the size of what follows it", () => {
  const writer = new Writer();
  writer.prefixed((w) => w.prefixed((inner) => inner.u16(0x0102)));
  writer.prefixed((w) => w.u8(9), 4);
  assert.equal(writer.finish().toHex(), "0004000201020000000109");
});

Deno.test("prefixed() refuses a body over 65535 bytes", () => {
  const writer = new Writer();
  assert.throws(
    () => writer.prefixed((w) => w.put(new Uint8Array(0x1_0000))),
    CodecError,
  );
});

Deno.test("finish() gives a copy", () => {
  const writer = new Writer();
  writer.u8(1);
  const first = writer.finish();
  writer.u8(2);
  assert.equal(first.toHex(), "01");
  assert.equal(writer.finish().toHex(), "0102");
});
