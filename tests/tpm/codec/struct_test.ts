import assert from "node:assert/strict";
import fc from "fast-check";
import { buffer } from "../../../tpm/codec/buffer.ts";
import { decode, encode, type TypeOf } from "../../../tpm/codec/codec.ts";
import { CodecError, within } from "../../../tpm/codec/error.ts";
import { names } from "../../../tpm/codec/names.ts";
import { u16, u32, u8 } from "../../../tpm/codec/scalars.ts";
import { struct, tagged } from "../../../tpm/codec/struct.ts";
import { record } from "../arbitraries.ts";

const KIND = names("KIND", u8, { point: 1, text: 2, nothing: 3 });
const POINT = struct("POINT", { x: u16, y: u16 });
const SHAPE = tagged("SHAPE", {
  fields: { kind: KIND, id: u8 },
  on: "kind",
  arms: { point: { at: POINT }, text: { body: buffer("BODY", 8) } },
});

Deno.test("struct() is its fields in the order of declaration", () => {
  assert.equal(encode(POINT, { y: 2, x: 1 }).toHex(), "00010002");
  assert.deepEqual(decode(POINT, Uint8Array.of(0, 1, 0, 2)), { x: 1, y: 2 });
});

Deno.test("tagged() has the fields of the arm that its selector names", () => {
  const point = { kind: "point", id: 7, at: { x: 1, y: 2 } } as const;
  assert.equal(encode(SHAPE, point).toHex(), "010700010002");
  assert.deepEqual(decode(SHAPE, encode(SHAPE, point)), point);
});

Deno.test("tagged() refuses a selector without an arm", () => {
  assert.throws(
    () => decode(SHAPE, Uint8Array.of(3, 0)),
    /^CodecError: SHAPE\.kind: SHAPE has no member for "nothing" at byte 2$/,
  );
  assert.throws(
    // @ts-expect-error: there is no such arm
    () => encode(SHAPE, { kind: "nothing", id: 0 }),
    CodecError,
  );
});

Deno.test("tagged() values survive their encoding, prefixes do not", () => {
  const shape: fc.Arbitrary<TypeOf<typeof SHAPE>> = fc.oneof(
    record({
      kind: fc.constant("point" as const),
      id: fc.nat(255),
      at: record({ x: fc.nat(0xffff), y: fc.nat(0xffff) }),
    }),
    record({
      kind: fc.constant("text" as const),
      id: fc.nat(255),
      body: fc.uint8Array({ maxLength: 8 }).map((b) => Uint8Array.from(b)),
    }),
  );
  fc.assert(fc.property(shape, (value) => {
    const bytes = encode(SHAPE, value);
    assert.deepEqual(decode(SHAPE, bytes), value);
    for (let size = 0; size < bytes.length; size++) {
      assert.throws(() => decode(SHAPE, bytes.subarray(0, size)), CodecError);
    }
  }));
});

Deno.test("errors say where they are, outermost first", () => {
  assert.throws(() => decode(SHAPE, Uint8Array.of(1, 7, 0, 1, 0)), (error) => {
    assert.ok(error instanceof CodecError);
    assert.deepEqual(error.path, ["SHAPE", "at", "y"]);
    assert.equal(error.offset, 4);
    assert.equal(error.problem, "2 bytes are needed, 1 are left");
    assert.equal(
      error.message,
      "SHAPE.at.y: 2 bytes are needed, 1 are left at byte 4",
    );
    return true;
  });
});

Deno.test("errors in writing say where they are too", () => {
  assert.throws(
    () => encode(POINT, { x: 1, y: 2 ** 16 }),
    /^CodecError: POINT\.y: 65536 is not in 0\.\.65535 at byte 2$/,
  );
});

Deno.test("decode() refuses bytes after the value", () => {
  assert.throws(
    () => decode(u32, new Uint8Array(5)),
    new CodecError("1 bytes are left over", 4, ["UINT32"]),
  );
});

Deno.test("within() leaves errors of other classes alone", () => {
  const error = new RangeError("something else");
  assert.equal(within(error, "field"), error);
});
