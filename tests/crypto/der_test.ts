import assert from "node:assert/strict";
import fc from "fast-check";
import { splitDer, trimDer } from "../../crypto/der.ts";

const FIXTURES = new URL("../fixtures/crypto/ekcerts/", import.meta.url);

interface Expected {
  readonly der_length_in_header: number | null;
  readonly trailing_bytes: number | null;
}

const EXPECTED: Readonly<Record<string, Expected>> = JSON.parse(
  Deno.readTextFileSync(new URL("expected.json", FIXTURES)),
);

function fixture(name: string): Uint8Array {
  return Deno.readFileSync(new URL(name, FIXTURES));
}

Deno.test("trimDer() cuts NV padding off real and damaged EK certificates", async (t) => {
  for (const [name, want] of Object.entries(EXPECTED)) {
    await t.step(name, () => {
      const bytes = fixture(name);
      assert.deepEqual(
        trimDer(bytes),
        want.der_length_in_header === null || want.trailing_bytes === null
          ? undefined
          : bytes.subarray(0, want.der_length_in_header),
      );
    });
  }
});

Deno.test("trimDer() reads every length form it supports, and no other", async (t) => {
  const zeros = Array<number>(300).fill(0);
  const cases = [
    { name: "short form", input: [0x30, 0x02, 1, 2, 9], want: 4 },
    { name: "empty", input: [0x30, 0x00], want: 2 },
    { name: "one length byte", input: [0x30, 0x81, 200, ...zeros], want: 203 },
    { name: "two", input: [0x30, 0x82, 1, 0, ...zeros], want: 260 },
    { name: "three", input: [0x30, 0x83, 0, 1, 0, ...zeros], want: 261 },
    { name: "four", input: [0x30, 0x84, 0, 0, 1, 0, ...zeros], want: null },
    { name: "indefinite", input: [0x30, 0x80, 0, 0], want: null },
    { name: "no length", input: [0x30], want: null },
    { name: "half a length", input: [0x30, 0x82, 1], want: null },
    { name: "nothing", input: [], want: null },
    { name: "a SET", input: [0x31, 0x00], want: null },
  ];
  for (const { name, input, want } of cases) {
    await t.step(name, () => {
      const found = trimDer(Uint8Array.from(input));
      assert.equal(found?.length ?? null, want);
    });
  }
});

Deno.test("trimDer() gives a prefix of its input or nothing, whatever the bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
    const found = trimDer(bytes);
    if (found !== undefined) {
      assert.deepEqual(found, bytes.subarray(0, found.length));
    }
  }));
});

Deno.test("splitDer() undoes concatenation and stops at padding", () => {
  const chain = ["lab-a-rsa2048.der", "intel-ptt.der", "lab-a-ecc384.der"]
    .map(fixture);
  const padded = [...chain.flatMap((der) => [...der]), 0xff, 0xff];
  assert.deepEqual(splitDer(Uint8Array.from(padded)), chain);
});

Deno.test("splitDer() drops a certificate that is cut short", () => {
  const whole = fixture("lab-a-ecc256.der");
  const cut = fixture("malformed/lab-a-cut-100.der");
  assert.deepEqual(splitDer(Uint8Array.of(...whole, ...cut)), [whole]);
});

Deno.test("splitDer() refuses more certificates than its limit", () => {
  const bytes = new Uint8Array(8).map((_, i) => i % 2 === 0 ? 0x30 : 0);
  assert.equal(splitDer(bytes, 4).length, 4);
  assert.throws(() => splitDer(bytes, 3), RangeError);
});
