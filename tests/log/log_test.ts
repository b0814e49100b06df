import assert from "node:assert/strict";
import { createLog, LEVELS, oneLine, quoted } from "../../log/log.ts";

/** The lines of a log in which every level says its name. */
function lines(options: { readonly hasPriorities?: boolean } = {}): string[] {
  const written: string[] = [];
  const log = createLog("trace", (line) => written.push(line), options);
  for (const level of LEVELS) log[level](level);
  return written;
}

Deno.test("createLog() writes the lines of rust-keylime", () => {
  assert.deepEqual(lines(), [
    " ERROR keylime_agent > error",
    " WARN  keylime_agent > warn",
    " INFO  keylime_agent > info",
    " DEBUG keylime_agent > debug",
    " TRACE keylime_agent > trace",
  ]);
});

Deno.test("createLog() puts the journal's priorities before the same lines", () => {
  const priorities = ["<3>", "<4>", "<6>", "<7>", "<7>"];
  assert.deepEqual(
    lines({ hasPriorities: true }),
    lines().map((line, at) => `${priorities[at]}${line}`),
  );
});

Deno.test("createLog() lets no message make a line of its own", () => {
  const written: string[] = [];
  const log = createLog(undefined, (line) => written.push(line), {
    hasPriorities: true,
  });
  log.info("<0>odd\n<0> ERROR keylime_agent > forged\r\u2028\x1b[2K\u0085");
  assert.deepEqual(written, [
    "<6> INFO  keylime_agent > <0>odd\\u000a<0> ERROR keylime_agent > forged" +
    "\\u000d\\u2028\\u001b[2K\\u0085",
  ]);
});

Deno.test("oneLine() escapes what ends, moves or hides text, and nothing else", () => {
  assert.equal(oneLine("Größe → \"x\" 'y' 😀"), "Größe → \"x\" 'y' 😀");
  assert.equal(
    oneLine("a\tb\0\u202ec\u{e0041}"),
    "a\\u0009b\\u0000\\u202ec\\ue0041",
  );
});

Deno.test("quoted() escapes all but printable ASCII and cuts", () => {
  assert.equal(quoted('"ü\n😀'), '"\\"\\u00fc\\n\\ud83d\\ude00"');
  assert.equal(quoted("x".repeat(101)), `"${"x".repeat(100)}\\u2026"`);
});
