import assert from "node:assert/strict";
import fc from "fast-check";
import { flag, integer, port, text } from "../../config/option.ts";
import {
  acceptedBy,
  coerce,
  toBoolean,
  toInteger,
  toText,
} from "../../config/values.ts";

const NO_SCALAR = [undefined, null, [], ["a"], {}, new Date(0)];

Deno.test("toBoolean() takes booleans, whole numbers and words", async (t) => {
  const rows: [raw: unknown, want: boolean | undefined][] = [
    [true, true],
    [false, false],
    [1, true],
    [-3, true],
    [0, false],
    [2n ** 60n, true],
    [0.5, undefined],
    [NaN, undefined],
    ["1", true],
    ["TRUE", true],
    ["on", true],
    ["Yes", true],
    ["0", false],
    ["False", false],
    ["OFF", false],
    ["no", false],
    ["", undefined],
    [" true", undefined],
    ["2", undefined],
    ["enabled", undefined],
  ];
  for (const [raw, want] of rows) {
    await t.step(`${typeof raw} ${raw}`, () => {
      assert.equal(toBoolean(raw), want);
    });
  }
});

Deno.test("toInteger() takes numbers, decimal strings and words", async (t) => {
  const rows: [raw: unknown, want: number | undefined][] = [
    [9002, 9002],
    [-1, -1],
    [1.4, 1],
    [1.5, 2],
    [NaN, undefined],
    [Infinity, undefined],
    [2n ** 60n, undefined],
    [true, 1],
    [false, 0],
    ["9002", 9002],
    ["+7", 7],
    ["-7", -7],
    ["-0", 0],
    ["007", 7],
    ["on", 1],
    ["No", 0],
    ["", undefined],
    [" 7", undefined],
    ["9002x", undefined],
    ["0x10", undefined],
    ["1.0", undefined],
    ["1e3", undefined],
    ["9007199254740992", undefined],
  ];
  for (const [raw, want] of rows) {
    await t.step(`${typeof raw} ${raw}`, () => {
      assert.equal(toInteger(raw), want);
    });
  }
});

Deno.test("toText() prints scalars", () => {
  assert.equal(toText("a"), "a");
  assert.equal(toText(true), "true");
  assert.equal(toText(2.5), "2.5");
  assert.equal(toText(2n ** 60n), "1152921504606846976");
});

Deno.test("coercion refuses arrays, tables, dates and nothing", () => {
  for (const raw of NO_SCALAR) {
    assert.equal(toText(raw), undefined);
    assert.equal(toBoolean(raw), undefined);
    assert.equal(toInteger(raw), undefined);
  }
});

Deno.test("coerce() keeps ports within their range", () => {
  const option = port(1, "A port");
  assert.equal(coerce(option, 1), 1);
  assert.equal(coerce(option, "65535"), 65_535);
  for (const raw of [0, 65_536, -1, 2 ** 32 + 9002]) {
    assert.equal(coerce(option, raw), undefined);
  }
});

Deno.test("acceptedBy() says what each type takes", () => {
  assert.equal(acceptedBy(flag(true, "A switch")), "true or false");
  assert.equal(
    acceptedBy(port(1, "A port")),
    "a whole number from 1 to 65535",
  );
  assert.match(acceptedBy(text("", "A text")), /list/);
});

const anything = fc.oneof(
  fc.anything(),
  fc.string(),
  fc.integer().map(String),
  fc.constantFrom("on", "OFF", "yes", "No", "true", "0"),
);

Deno.test("coerce() gives the option's type or undefined, never throws", () => {
  fc.assert(fc.property(anything, (raw) => {
    const asText = coerce(text("", "A text"), raw);
    assert.ok(asText === undefined || typeof asText === "string");
    const asFlag = coerce(flag(true, "A switch"), raw);
    assert.ok(asFlag === undefined || typeof asFlag === "boolean");
    const asPort = coerce(port(1, "A port"), raw);
    if (asPort !== undefined) {
      assert.ok(Number.isInteger(asPort));
      assert.ok(Number(asPort) >= 1 && Number(asPort) <= 65_535);
    }
  }));
});

Deno.test("coerce() reads back what it printed", () => {
  const whole = integer(0, "A number", { max: Number.MAX_SAFE_INTEGER });
  fc.assert(fc.property(fc.maxSafeNat(), (number) => {
    assert.equal(coerce(whole, toText(number)), number);
  }));
  fc.assert(fc.property(fc.boolean(), (value) => {
    assert.equal(coerce(flag(true, "A switch"), toText(value)), value);
  }));
});
