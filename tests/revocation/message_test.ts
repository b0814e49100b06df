import assert from "node:assert/strict";
import fc from "fast-check";
import { RevocationError } from "../../revocation/error.ts";
import { parseMessage } from "../../revocation/message.ts";

Deno.test("parseMessage() gives compact JSON with sorted keys", async (t) => {
  const rows: readonly (readonly [string, string, string])[] = [
    [
      "at every level",
      '{"type": "revocation", "b": {"d": [1, {"f": 2, "e": null}], "c": true}, "a": ""}',
      '{"a":"","b":{"c":true,"d":[1,{"e":null,"f":2}]},"type":"revocation"}',
    ],
    [
      "numbers as keys",
      '{"type":"comm_error","9":1,"10":2}',
      '{"10":2,"9":1,"type":"comm_error"}',
    ],
    [
      "the last of two equal keys",
      '{"type":"x","type":"revocation","a":1,"a":2}',
      '{"a":2,"type":"revocation"}',
    ],
    [
      "names of prototypes",
      '{"type":"revocation","__proto__":{"x":1},"constructor":2}',
      '{"__proto__":{"x":1},"constructor":2,"type":"revocation"}',
    ],
    [
      "text as it is",
      '{"type":"revocation","\\u00e4":"\\ud83d\\udd12 \\u0007 / \\n"}',
      '{"type":"revocation","ä":"\u{1f512} \\u0007 / \\n"}',
    ],
  ];
  for (const [name, msg, want] of rows) {
    await t.step(name, () => assert.equal(parseMessage(msg).text, want));
  }
});

Deno.test("parseMessage() changes nothing but order and blanks", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (fields) => {
      const message = { ...fields, type: "revocation" };
      // JSON has one zero.
      const want = JSON.parse(JSON.stringify(message));
      assert.deepEqual(
        JSON.parse(parseMessage(JSON.stringify(message, null, 1)).text),
        want,
      );
    }),
  );
});

Deno.test("parseMessage() tells what a message is about, safe for a log", () => {
  const { subject } = parseMessage(JSON.stringify({
    type: "revocation",
    agent_id: "a\n ERROR forged",
    event_id: 7,
    event_time: "Sun Nov 22 20:00:00 2026",
    ip: "192.0.2.1",
  }));
  assert.equal(
    subject,
    'revocation, agent_id "a\\n ERROR forged", event_id of type number, ' +
      'event_time "Sun Nov 22 20:00:00 2026"',
  );
});

Deno.test("parseMessage() refuses what no verifier sends", async (t) => {
  const deep = (depth: number): string =>
    `{"type":"revocation","x":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  const rows: readonly (readonly [string, string, string, RegExp])[] = [
    ["nothing", "", "message", /^The message is not valid JSON$/],
    ["text", "not json", "message", /^The message is not valid JSON$/],
    ["two values", "{}{}", "message", /^The message is not valid JSON$/],
    ["NaN", '{"type":NaN}', "message", /^The message is not valid JSON$/],
    ["null", "null", "message", /no JSON object$/],
    ["a string", '"revocation"', "message", /no JSON object$/],
    ["an array", '[{"type":"revocation"}]', "message", /no JSON object$/],
    ["no type", "{}", "type", /^The message has no type$/],
    [
      "an inherited type",
      '{"__proto__":{"type":"revocation"}}',
      "type",
      /no t/,
    ],
    ["type hello", '{"type":"hello"}', "type", /unknown type "hello"$/],
    ["another case", '{"type":"Revocation"}', "type", /unknown type "Rev/],
    ["a list of types", '{"type":["revocation"]}', "type", /of type object$/],
    ["a hostile type", '{"type":"a\\nb"}', "type", /type "a\\nb"$/],
    ["deep nesting", deep(128), "message", /more than 128 deep$/],
    ["deepest nesting", deep(500_000), "message", /more than 128 deep$/],
  ];
  for (const [name, msg, problem, wanted] of rows) {
    await t.step(name, () => {
      assert.throws(() => parseMessage(msg), (error) => {
        assert.ok(error instanceof RevocationError);
        assert.equal(error.problem, problem);
        assert.match(error.message, wanted);
        assert.ok(error.message.length < 200);
        return true;
      });
    });
  }
  await t.step("but takes what is just not too deep", () => {
    parseMessage(deep(127));
  });
});
