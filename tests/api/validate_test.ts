import assert from "node:assert/strict";
import fc from "fast-check";
import { ApiError } from "../../api/errors.ts";
import { parseIdentityQuery, parseIntegrityQuery } from "../../api/validate.ts";

const LONG = "a".repeat(65);
const partialText = "uri must contain key 'partial' and value '0' or '1'";
const maskText = "mask should be a hex encoded 32-bit integer";

function refusal(parse: () => unknown): string {
  try {
    parse();
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    assert.equal(error.code, 400);
    return error.message;
  }
  throw new assert.AssertionError({ message: "Nothing was refused" });
}

const IDENTITY_REFUSED: readonly (readonly [string, string])[] = [
  ["", "Query deserialize error: missing field `nonce`"],
  ["Nonce=a", "Query deserialize error: missing field `nonce`"],
  ["nonce=a&nonce=b", "Query deserialize error: duplicate field `nonce`"],
  ["nonce=a-b", "Parameters should be strictly alphanumeric: a-b"],
  ["nonce=a+b", "Parameters should be strictly alphanumeric: a b"],
  ["nonce=%ff", "Parameters should be strictly alphanumeric: \ufffd"],
  ["nonce=%00", "Parameters should be strictly alphanumeric: \0"],
  ["nonce=%zz", "Parameters should be strictly alphanumeric: %zz"],
  ["nonce=%F0%9F%98%80", "Parameters should be strictly alphanumeric: 😀"],
  [`nonce=${LONG}`, `Nonce is too long (max size 64): ${LONG}`],
  [
    `nonce=${"é".repeat(33)}`,
    `Nonce is too long (max size 64): ${"é".repeat(33)}`,
  ],
  [
    `nonce=${"-".repeat(101)}`,
    `Parameters should be strictly alphanumeric: ${"-".repeat(100)}…`,
  ],
];

Deno.test("parseIdentityQuery() refuses in the contract's words", async (t) => {
  for (const [query, expected] of IDENTITY_REFUSED) {
    await t.step(query.slice(0, 40), () => {
      const parse = (): unknown =>
        parseIdentityQuery(new URLSearchParams(query));
      assert.equal(refusal(parse), expected);
    });
  }
});

Deno.test("parseIdentityQuery() takes what upstream takes for alphanumeric", () => {
  for (const nonce of ["", "aZ09", "é", "Ⅷ", "٣", "a".repeat(64)]) {
    const query = new URLSearchParams({ nonce, other: "!" });
    assert.deepEqual(parseIdentityQuery(query), { nonce });
  }
});

const INTEGRITY_REFUSED: readonly (readonly [string, string])[] = [
  ["mask=0x1&partial=0", "Query deserialize error: missing field `nonce`"],
  ["nonce=a&partial=0", "Query deserialize error: missing field `mask`"],
  ["nonce=a&mask=0x1", "Query deserialize error: missing field `partial`"],
  [
    "nonce=a&mask=1&mask=2",
    "Query deserialize error: duplicate field `mask`",
  ],
  [
    "nonce=a&mask=1&partial=0&ima_ml_entry=1&ima_ml_entry=1",
    "Query deserialize error: duplicate field `ima_ml_entry`",
  ],
  ["nonce=-&mask=-&partial=2", "nonce should be strictly alphanumeric: -"],
  ["nonce=a&mask=-&partial=2", "mask should be strictly alphanumeric: -"],
  [`nonce=${LONG}&mask=xyz&partial=2`, `${maskText}: xyz`],
  ["nonce=a&mask=&partial=0", `${maskText}: `],
  ["nonce=a&mask=0x&partial=0", `${maskText}: 0x`],
  ["nonce=a&mask=0X1&partial=0", `${maskText}: 0X1`],
  ["nonce=a&mask=0x100000000&partial=0", `${maskText}: 0x100000000`],
  ["nonce=a&mask=٣&partial=0", `${maskText}: ٣`],
  [
    `nonce=a&mask=${"f".repeat(2000)}&partial=0`,
    `${maskText}: ${"f".repeat(100)}…`,
  ],
  [
    `nonce=${LONG}&mask=0x1&partial=2`,
    "Nonce is too long (max size: 64): 65",
  ],
  ["nonce=a&mask=0x1&partial=2", partialText],
  ["nonce=a&mask=0x1000000&partial=", partialText],
  [
    "nonce=a&mask=0x1000000&partial=0",
    "mask should select PCRs 0-23: 0x1000000",
  ],
  [
    "nonce=a&mask=ffffffff&partial=0",
    "mask should select PCRs 0-23: ffffffff",
  ],
];

Deno.test("parseIntegrityQuery() refuses in the contract's order and words", async (t) => {
  for (const [query, expected] of INTEGRITY_REFUSED) {
    await t.step(query.slice(0, 60), () => {
      const parse = (): unknown =>
        parseIntegrityQuery(new URLSearchParams(query));
      assert.equal(refusal(parse), expected);
    });
  }
});

Deno.test("parseIntegrityQuery() reads masks as upstream does", async (t) => {
  const masks: readonly (readonly [string, number])[] = [
    ["0x0", 0],
    ["0", 0],
    ["0x408000", 0x408000],
    ["FBff", 0xfbff],
    ["0x0x10", 0x10],
    [`0x${"0".repeat(30)}ffffff`, 0xffffff],
  ];
  for (const [mask, expected] of masks) {
    await t.step(mask, () => {
      const query = new URLSearchParams({ nonce: "a", mask, partial: "1" });
      assert.equal(parseIntegrityQuery(query).mask, expected);
    });
  }
});

Deno.test("parseIntegrityQuery() reads any odd entry as the whole list", async (t) => {
  const entries: readonly (readonly [string | undefined, number])[] = [
    [undefined, 0],
    ["", 0],
    ["0", 0],
    ["17", 17],
    ["+17", 17],
    ["017", 17],
    ["-1", 0],
    ["1.5", 0],
    ["0x10", 0],
    [" 1", 0],
    ["٣", 0],
    ["99999999999999999999999", 0],
    ["18446744073709551616", 0],
    ["18446744073709551615", Number.MAX_SAFE_INTEGER],
  ];
  for (const [entry, expected] of entries) {
    await t.step(String(entry), () => {
      const query = new URLSearchParams({
        nonce: "a",
        mask: "0",
        partial: "1",
        ...(entry === undefined ? {} : { ima_ml_entry: entry }),
      });
      assert.equal(parseIntegrityQuery(query).imaEntry, expected);
    });
  }
});

Deno.test("parseIntegrityQuery() accepts or refuses any text, within bounds", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.string({ unit: fc.constantFrom(..."0123456789abcdefxX") }),
  );
  fc.assert(fc.property(
    text,
    text,
    fc.oneof(text, fc.constantFrom("0", "1")),
    text,
    (nonce, mask, partial, ima_ml_entry) => {
      const query = new URLSearchParams({ nonce, mask, partial, ima_ml_entry });
      try {
        const request = parseIntegrityQuery(query);
        assert.ok(request.mask >= 0 && request.mask < 2 ** 24);
        assert.ok(Number.isSafeInteger(request.imaEntry));
        assert.ok(request.imaEntry >= 0);
        assert.ok(new TextEncoder().encode(request.nonce).length <= 64);
      } catch (error) {
        assert.ok(error instanceof ApiError);
        assert.ok(error.message.length < 300);
      }
    },
  ));
});
