import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { V8_FLAGS } from "../../packaging/v8_flags.ts";
import { MemoryKeeper, type Resources } from "../../service/memory.ts";
import { recordingLog } from "../api/support/attester.ts";
import { run } from "../lab/command.ts";
import { waitFor } from "../lab/wait.ts";

const MEBIBYTE = 2 ** 20;
const PAUSES = { look: 1, settling: 1 };

/** A process whose memory and work a test decides. */
class ScriptedProcess implements Resources {
  readonly done: string[] = [];
  looks = 0;
  mebibytes = 60;
  /** What of it is needed. */
  needed = 60;
  /** Processor time between two looks. */
  work = 0;

  resident(): number {
    this.looks++;
    return this.mebibytes * MEBIBYTE;
  }

  processorTime(): number {
    return this.looks * this.work;
  }

  collect(): void {
    this.done.push("collect");
  }

  trim(): void {
    this.done.push("trim");
    this.mebibytes = this.needed;
  }

  /** Resolves after `count` more looks. */
  async looked(count: number): Promise<void> {
    const { looks } = this;
    await waitFor(`${count} looks`, () => this.looks >= looks + count, {
      everyMs: 1,
    });
  }
}

Deno.test("MemoryKeeper collects and then trims what has grown, each time it has", async () => {
  const program = new ScriptedProcess();
  const { log, lines } = recordingLog();
  using _keeper = new MemoryKeeper(log, program, PAUSES);
  program.mebibytes = 80;
  program.needed = 65;
  await waitFor("the first time", () => program.done.length === 2);
  // Not enough more than what was left.
  program.mebibytes = 67;
  await program.looked(3);
  assert.deepEqual(program.done, ["collect", "trim"]);
  program.mebibytes = 68;
  await waitFor("the second time", () => program.done.length === 4);
  assert.deepEqual(program.done, ["collect", "trim", "collect", "trim"]);
  assert.deepEqual(lines, [
    "debug Resident memory went from 80 MiB to 65 MiB",
    "debug Resident memory went from 68 MiB to 65 MiB",
  ]);
});

Deno.test("MemoryKeeper seldom disturbs a process that is at work", async () => {
  const program = new ScriptedProcess();
  program.work = 50;
  using _keeper = new MemoryKeeper(recordingLog().log, program, PAUSES);
  program.mebibytes = 80;
  await waitFor("the first time", () => program.done.length === 2);
  const looksFirst = program.looks;
  assert.ok(looksFirst > 15, `after ${looksFirst} looks`);
  program.mebibytes = 80;
  await waitFor("the second time", () => program.done.length === 4);
  const looks = program.looks - looksFirst;
  assert.ok(looks > 15, `after ${looks} looks`);
  program.mebibytes = 80;
  program.work = 0;
  await program.looked(5);
  assert.equal(program.done.length, 6, "it rests, and is not disturbed");
});

Deno.test("MemoryKeeper does nothing after its end, not even what it began", async () => {
  const program = new ScriptedProcess();
  {
    using _keeper = new MemoryKeeper(recordingLog().log, program, {
      look: 1,
      settling: 3_600_000,
    });
    program.mebibytes = 80;
    await waitFor("the collection", () => program.done.length > 0);
  }
  assert.deepEqual(program.done, ["collect"]);
});

Deno.test("processResources() gives back to the system what nobody needs", async (t) => {
  const program = fileURLToPath(
    new URL("./support/give_back.ts", import.meta.url),
  );
  for (const heap of ["V8", "libc"]) {
    await t.step(heap, async () => {
      const { code, stdout, stderr } = await run([
        ...[Deno.execPath(), "run", "-A", "--no-check"],
        ...[`--v8-flags=${V8_FLAGS}`, program, heap],
      ]);
      assert.equal(code, 0, stderr);
      const { before, used, after } = JSON.parse(stdout);
      const grown = used - before;
      assert.ok(grown > 32 * MEBIBYTE, `it took only ${grown} bytes`);
      const left = after - before;
      assert.ok(left < grown / 2, `${left} of ${grown} bytes stay`);
    });
  }
});
