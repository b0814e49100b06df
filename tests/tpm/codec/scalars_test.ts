import assert from "node:assert/strict";
import fc from "fast-check";
import { type Codec, decode, encode } from "../../../tpm/codec/codec.ts";
import { CodecError } from "../../../tpm/codec/error.ts";
import {
  constant,
  i32,
  u16,
  u32,
  u64,
  u8,
  yesNo,
} from "../../../tpm/codec/scalars.ts";

function roundTrips<T>(codec: Codec<T>, values: fc.Arbitrary<T>): void {
  fc.assert(fc.property(values, (value) => {
    assert.equal(decode(codec, encode(codec, value)), value);
  }));
}

Deno.test("numbers survive their encoding", async (t) => {
  await t.step("UINT8", () => roundTrips(u8, fc.nat(0xff)));
  await t.step("UINT16", () => roundTrips(u16, fc.nat(0xffff)));
  await t.step("UINT32", () => roundTrips(u32, fc.nat(0xffff_ffff)));
  await t.step("INT32", () => roundTrips(i32, fc.integer()));
  await t.step(
    "UINT64",
    () => roundTrips(u64, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
  );
});

Deno.test("u64 is a bigint, exact over 2^53", () => {
  const bytes = Uint8Array.fromHex("8000000000000001");
  assert.equal(decode(u64, bytes), 0x8000_0000_0000_0001n);
});

Deno.test("i32 is in two's complement", () => {
  assert.equal(encode(i32, -1).toHex(), "ffffffff");
  assert.equal(encode(i32, -(2 ** 31)).toHex(), "80000000");
  assert.equal(decode(i32, Uint8Array.fromHex("7fffffff")), 2 ** 31 - 1);
});

Deno.test("i32 refuses what it cannot carry", () => {
  for (const value of [2 ** 31, -(2 ** 31) - 1, 0.5, NaN]) {
    assert.throws(() => encode(i32, value), CodecError);
  }
});

Deno.test("yesNo is 0 or 1 and nothing else", () => {
  assert.equal(decode(yesNo, Uint8Array.of(0)), false);
  assert.equal(decode(yesNo, Uint8Array.of(1)), true);
  assert.equal(encode(yesNo, true).toHex(), "01");
  for (let raw = 2; raw < 256; raw++) {
    assert.throws(
      () => decode(yesNo, Uint8Array.of(raw)),
      new CodecError(`${raw} is neither NO nor YES`, 0, ["TPMI_YES_NO"]),
    );
  }
});

Deno.test("constant() refuses any other value", () => {
  const magic = constant(u16, 0xff54);
  assert.equal(encode(magic, 0xff54).toHex(), "ff54");
  assert.equal(decode(magic, Uint8Array.fromHex("ff54")), 0xff54);
  assert.throws(
    () => decode(magic, Uint8Array.fromHex("ff55")),
    /UINT16: 0xff55 stands where only 0xff54 may at byte 0/,
  );
});
