import assert from "node:assert/strict";
import fc from "fast-check";
import { isQuotedItem, parseList } from "../../config/lists.ts";

Deno.test("parseList() reads every separator and bracket", async (t) => {
  const rows: [text: string, want: string[]][] = [
    ["", []],
    [" \t\r\n ", []],
    ["[]", []],
    ["[ \n ]", []],
    [",", []],
    ["[,]", []],
    ["default", ["default"]],
    ["a b c", ["a", "b", "c"]],
    ["a\tb\nc\r\nd\re", ["a", "b", "c", "d", "e"]],
    ["a,b,c", ["a", "b", "c"]],
    ["a , b ,\nc", ["a", "b", "c"]],
    ["a b, c", ["a", "b", "c"]],
    ["a, b,", ["a", "b"]],
    [",a", ["a"]],
    ["[a, b]", ["a", "b"]],
    [" [a b,] ", ["a", "b"]],
    ["]", ["]"]],
    ["a]b", ["a]b"]],
    ["/etc/a.pem, rel/b.pem", ["/etc/a.pem", "rel/b.pem"]],
  ];
  for (const [text, want] of rows) {
    await t.step(JSON.stringify(text), () => {
      assert.deepEqual(parseList(text), want);
    });
  }
});

Deno.test("parseList() keeps quotes and drops empty quoted items", async (t) => {
  const rows: [text: string, want: string[]][] = [
    [`'a b' "c,d"`, ["'a b'", '"c,d"']],
    [`["]", ',']`, ['"]"', "','"]],
    [`'', ""`, []],
    [`'a''b'`, ["'a'", "'b'"]],
    [`'open`, ["'open"]],
    [`["]`, ['"']],
    [`a'b'`, ["a'b'"]],
  ];
  for (const [text, want] of rows) {
    await t.step(text, () => assert.deepEqual(parseList(text), want));
  }
});

Deno.test("parseList() refuses what is no list", async (t) => {
  const rows = [
    ",,",
    "a,,b",
    "[a,,]",
    ",,a",
    "a, b c",
    "[a, b c]",
    "[a",
    "[a,",
    "[",
    "[a] b",
    "[a]]",
    "[a][b]",
  ];
  for (const text of rows) {
    await t.step(text, () => {
      assert.throws(() => parseList(text), SyntaxError);
    });
  }
});

Deno.test("parseList() gives back the names it was joined from", () => {
  const name = fc.stringMatching(/^[A-Za-z0-9_./-]{1,12}$/);
  const blanks = fc.stringMatching(/^[ \t\r\n]{0,3}$/);
  const separator = fc.oneof(
    fc.tuple(blanks, blanks).map(([a, b]) => `${a},${b}`),
    fc.stringMatching(/^[ \t\r\n]{1,3}$/),
  );
  const wrapped = fc.constantFrom(["", ""], ["[", "]"], [" [ ", " ]\n"]);
  fc.assert(
    fc.property(
      fc.array(name, { maxLength: 6 }),
      separator,
      wrapped,
      (names, between, [open, close]) => {
        const text = `${open}${names.join(between)}${close}`;
        assert.deepEqual(parseList(text), names);
      },
    ),
  );
});

Deno.test("parseList() either fails with SyntaxError or gives clean items", () => {
  const hostile = fc.string({
    unit: fc.constantFrom("a", ",", " ", "\n", "'", '"', "[", "]", "\u00e4"),
    maxLength: 24,
  });
  fc.assert(fc.property(hostile, (text) => {
    let items: readonly string[];
    try {
      items = parseList(text);
    } catch (error) {
      assert.ok(error instanceof SyntaxError);
      return;
    }
    for (const item of items) {
      assert.ok(item.length > 0 && text.includes(item));
      if (!isQuotedItem(item)) assert.doesNotMatch(item, /[ \t\r\n,]/);
    }
  }));
});

Deno.test("parseList() reads a list of 200 000 items", () => {
  const text = `${"a ".repeat(200_000)}`;
  assert.equal(parseList(text).length, 200_000);
});

Deno.test("isQuotedItem() wants the same quote at both ends", () => {
  assert.ok(isQuotedItem("'a'"));
  assert.ok(isQuotedItem('"a\nb"'));
  assert.ok(!isQuotedItem("'a\""));
  assert.ok(!isQuotedItem("'"));
  assert.ok(!isQuotedItem("a'b'"));
});
