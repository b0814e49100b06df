import assert from "node:assert/strict";
import { decode, encode } from "../../../tpm/codec/codec.ts";
import { CodecError } from "../../../tpm/codec/error.ts";
import { names, openNames, subset } from "../../../tpm/codec/names.ts";
import { u16 } from "../../../tpm/codec/scalars.ts";

const COLOUR = names("COLOUR", u16, { red: 1, green: 2, blue: 0x10 });
const WARM = subset("WARM", COLOUR, ["red"]);
const ANY = openNames(COLOUR, u16);

Deno.test("names() gives names for numbers and back", () => {
  assert.equal(encode(COLOUR, "blue").toHex(), "0010");
  assert.equal(decode(COLOUR, Uint8Array.of(0, 2)), "green");
});

Deno.test("names() refuses numbers without a name", () => {
  assert.throws(
    () => decode(COLOUR, Uint8Array.of(0x12, 0x34)),
    new CodecError("0x1234 is not a known COLOUR", 0, ["COLOUR"]),
  );
});

Deno.test("names() refuses names without a number", async (t) => {
  for (const name of ["mauve", "", "toString", "__proto__"]) {
    await t.step(JSON.stringify(name), () => {
      // @ts-expect-error: not a name of the table
      assert.throws(() => encode(COLOUR, name), CodecError);
    });
  }
});

Deno.test("subset() carries the chosen names and refuses the others", () => {
  assert.equal(decode(WARM, encode(WARM, "red")), "red");
  assert.throws(
    () => decode(WARM, Uint8Array.of(0, 0x10)),
    new CodecError('"blue" is not a WARM', 0, ["WARM"]),
  );
  // @ts-expect-error: not one of the chosen names
  assert.throws(() => encode(WARM, "green"), CodecError);
});

Deno.test("openNames() keeps numbers without a name", () => {
  assert.equal(decode(ANY, Uint8Array.of(0, 1)), "red");
  assert.equal(decode(ANY, Uint8Array.of(0, 9)), 9);
  assert.equal(encode(ANY, 9).toHex(), "0009");
  assert.equal(encode(ANY, "green").toHex(), "0002");
});
