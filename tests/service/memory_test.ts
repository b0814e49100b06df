import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { V8_FLAGS } from "../../packaging/v8_flags.ts";
import { type Heaps, MemoryKeeper } from "../../service/memory.ts";
import { recordingLog } from "../api/support/attester.ts";
import { run } from "../lab/command.ts";
import { waitFor } from "../lab/wait.ts";

const MEBIBYTE = 2 ** 20;
const PAUSES = { look: 1, settling: 1 };

/** Heaps whose size a test decides. */
class ScriptedHeaps implements Heaps {
  readonly done: string[] = [];
  looks = 0;
  mebibytes = 60;
  /** What of it is needed. */
  needed = 60;
  onLook: (() => void) | undefined;

  resident(): number {
    this.looks++;
    this.onLook?.();
    return this.mebibytes * MEBIBYTE;
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
  const heaps = new ScriptedHeaps();
  const { log, lines } = recordingLog();
  using keeper = new MemoryKeeper(log, heaps, PAUSES);
  keeper.start();
  heaps.mebibytes = 80;
  heaps.needed = 65;
  await waitFor("the first time", () => heaps.done.length === 2);
  // Not enough more than what was left.
  heaps.mebibytes = 67;
  await heaps.looked(3);
  assert.deepEqual(heaps.done, ["collect", "trim"]);
  heaps.mebibytes = 68;
  await waitFor("the second time", () => heaps.done.length === 4);
  assert.deepEqual(heaps.done, ["collect", "trim", "collect", "trim"]);
  assert.deepEqual(lines, [
    "debug Resident memory went from 80 MiB to 65 MiB",
    "debug Resident memory went from 68 MiB to 65 MiB",
  ]);
});

Deno.test("MemoryKeeper seldom disturbs a process that is at work", async () => {
  const heaps = new ScriptedHeaps();
  using keeper = new MemoryKeeper(recordingLog().log, heaps, PAUSES);
  heaps.onLook = () => keeper.worked();
  keeper.start();
  heaps.mebibytes = 80;
  const looks = (): number => heaps.looks;
  for (let time = 1; time <= 2; time++) {
    const before = looks();
    await waitFor(`time ${time}`, () => heaps.done.length === 2 * time, {
      everyMs: 1,
    });
    assert.ok(looks() - before > 15, `after ${looks() - before} looks`);
    heaps.mebibytes = 80;
  }
  heaps.onLook = undefined;
  await heaps.looked(4);
  assert.equal(heaps.done.length, 6, "it rests, and nothing is given back");
});

Deno.test("MemoryKeeper does nothing before its start and after its end", async () => {
  const heaps = new ScriptedHeaps();
  {
    using keeper = new MemoryKeeper(recordingLog().log, heaps, {
      look: 1,
      settling: 3_600_000,
    });
    keeper.worked();
    assert.equal(heaps.looks, 0);
    keeper.start();
    heaps.mebibytes = 80;
    await waitFor("the collection", () => heaps.done.length > 0);
  }
  assert.deepEqual(heaps.done, ["collect"]);
});

Deno.test("processHeaps() gives back to the system what nobody needs", async (t) => {
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
