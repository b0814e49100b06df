import assert from "node:assert/strict";
import fc from "fast-check";
import { parseHost, urlHost } from "../../config/hosts.ts";

Deno.test("parseHost() accepts addresses and host names", async (t) => {
  const rows: [text: string, want: string][] = [
    ["127.0.0.1", "127.0.0.1"],
    ["[127.0.0.1]", "127.0.0.1"],
    ["::1", "::1"],
    ["[::1]", "::1"],
    ["2001:DB8::7", "2001:DB8::7"],
    ["localhost", "localhost"],
    ["keylime-1.Example.org", "keylime-1.Example.org"],
    ["3com.example", "3com.example"],
    [`${"a".repeat(63)}.example`, `${"a".repeat(63)}.example`],
  ];
  for (const [text, want] of rows) {
    await t.step(text, () => assert.equal(parseHost(text), want));
  }
});

Deno.test("parseHost() refuses what is neither", async (t) => {
  const rows = [
    "",
    "<REMOTE_IP>",
    "[localhost]",
    "[::1",
    "::1]",
    "[[::1]]",
    "fe80::1%eth0",
    "256.0.0.1",
    "1.2.3",
    "a.",
    ".a",
    "a..b",
    "-a",
    "a-",
    "a_b",
    "a b",
    "a:80",
    "http://a",
    "a\nb",
    "m\u00fcnchen.example",
    `${"a".repeat(64)}.example`,
    `${"a.".repeat(126)}abc`,
  ];
  for (const text of rows) {
    await t.step(JSON.stringify(text), () => {
      assert.equal(parseHost(text), undefined);
    });
  }
});

Deno.test("urlHost() puts brackets around IPv6 addresses only", () => {
  assert.equal(urlHost("::1"), "[::1]");
  assert.equal(urlHost("127.0.0.1"), "127.0.0.1");
  assert.equal(urlHost("localhost"), "localhost");
});

Deno.test("urlHost() makes every accepted host part of a URL", () => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
  fc.assert(fc.property(host, (text) => {
    const parsed = parseHost(text);
    assert.equal(parsed, text);
    assert.equal(new URL(`http://${urlHost(text)}:8890/`).port, "8890");
  }));
});
