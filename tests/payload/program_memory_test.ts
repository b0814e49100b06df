import assert from "node:assert/strict";
import { runProgram } from "../../payload/program.ts";

Deno.test("runProgram() drains 1 GB in flat memory", async (t) => {
  const rows = [
    { name: "lines", script: "yes 'a line of output' | head -c 1000000000" },
    { name: "one line", script: "head -c 1000000000 /dev/zero" },
    {
      name: "both outputs",
      script: "yes | head -c 500000000 & yes | head -c 500000000 >&2; wait",
    },
  ];
  for (const { name, script } of rows) {
    await t.step(name, async () => {
      const lines: string[] = [];
      let most = 0;
      const watch = setInterval(() => {
        most = Math.max(most, Deno.memoryUsage().rss);
      }, 5);
      const before = Deno.memoryUsage().rss;
      const outcome = await runProgram({
        path: "/bin/sh",
        args: ["-c", script],
        cwd: "/",
        timeLimitMs: 120_000,
        onLine: (line) => lines.push(line),
        signal: new AbortController().signal,
      });
      clearInterval(watch);
      assert.deepEqual(outcome, { kind: "exited", code: 0 });
      assert.ok(lines.length <= 10_001, `${lines.length} lines`);
      const dropped = lines.filter((line) => line.includes("[further output"));
      assert.equal(dropped.length, name === "one line" ? 0 : 1);
      assert.ok(most > 0);
      const growth = (most - before) / 2 ** 20;
      assert.ok(growth < 64, `resident memory grew by ${growth} MiB`);
    });
  }
});
