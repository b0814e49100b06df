import assert from "node:assert/strict";
import fc from "fast-check";
import { attributes } from "../../../tpm/codec/attributes.ts";
import { decode, encode } from "../../../tpm/codec/codec.ts";
import { CodecError } from "../../../tpm/codec/error.ts";
import { u32, u8 } from "../../../tpm/codec/scalars.ts";

const WORD = attributes("WORD", u32, { low: 0, middle: 9, top: 31 });

Deno.test("attributes() names the bits that are SET", () => {
  assert.deepEqual(decode(WORD, Uint8Array.fromHex("80000201")), {
    low: true,
    middle: true,
    top: true,
  });
  assert.equal(encode(WORD, { top: true }).toHex(), "80000000");
  assert.deepEqual(decode(WORD, new Uint8Array(4)), {});
});

Deno.test("attributes() keeps bits without a name", () => {
  const bytes = Uint8Array.fromHex("c0000003");
  const value = decode(WORD, bytes);
  assert.deepEqual(value, { low: true, top: true, reserved: 0x4000_0002 });
  assert.equal(encode(WORD, value).toHex(), bytes.toHex());
});

Deno.test("attributes() carries every word there is", () => {
  fc.assert(fc.property(fc.nat(0xffff_ffff), (word) => {
    const bytes = encode(u32, word);
    assert.equal(encode(WORD, decode(WORD, bytes)).toHex(), bytes.toHex());
  }));
});

Deno.test("attributes() refuses reserved bits that have a name", () => {
  assert.throws(
    () => encode(WORD, { reserved: 0x200 }),
    /reserved bits overlap named flags/,
  );
});

Deno.test("attributes() refuses reserved bits outside the word", () => {
  const byte = attributes("BYTE", u8, { low: 0 });
  assert.throws(() => encode(byte, { reserved: 0x100 }), CodecError);
});
