import assert from "node:assert/strict";
import { closeSync, fstatSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isJournal } from "../../service/journal.ts";

Deno.test("isJournal() compares a stream with JOURNAL_STREAM", async (t) => {
  const descriptor = openSync(fileURLToPath(import.meta.url), "r");
  const { dev, ino } = fstatSync(descriptor);
  const rows = [
    { name: "the same", stream: `${dev}:${ino}`, want: true },
    { name: "another inode", stream: `${dev}:${ino + 1}`, want: false },
    { name: "another device", stream: `${dev + 1}:${ino}`, want: false },
    { name: "nonsense", stream: "journal", want: false },
    { name: "empty", stream: "", want: false },
    { name: "not set", stream: undefined, want: false },
  ];
  for (const { name, stream, want } of rows) {
    await t.step(name, () => assert.equal(isJournal(descriptor, stream), want));
  }
  closeSync(descriptor);
  await t.step("a closed descriptor", () => {
    assert.equal(isJournal(descriptor, `${dev}:${ino}`), false);
  });
});
