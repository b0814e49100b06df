import assert from "node:assert/strict";
import { run } from "./command.ts";
import { LabDirectory } from "./lab_directory.ts";
import { isGroupAlive, LabProcess } from "./process.ts";
import { waitFor } from "./wait.ts";

/** A program that starts a child, and says so when both run. */
const WITH_CHILD = ["sh", "-c", "sleep 100 & echo ready; sleep 100"];

/** As before, but neither ends by SIGTERM. */
const STUBBORN = [
  "sh",
  "-c",
  "trap '' TERM; sleep 100 & echo ready; while :; do sleep 1; done",
];

function start(
  directory: LabDirectory,
  argv: readonly string[],
  stopTimeoutMs = 10_000,
): Promise<LabProcess> {
  const logFile = directory.path("log");
  const logged = (): Promise<string> =>
    Deno.readTextFile(logFile).catch(() => ""); // not there at first
  return LabProcess.start(argv, {
    name: "the program",
    logFile,
    ready: async () => (await logged()) === "ready\n",
    stopTimeoutMs,
  });
}

Deno.test("LabProcess.stop() ends a program and its children", async (t) => {
  const rows = [
    { name: "by SIGTERM", argv: WITH_CHILD, signal: "SIGTERM" },
    { name: "by SIGKILL, if it must", argv: STUBBORN, signal: "SIGKILL" },
  ];
  for (const { name, argv, signal } of rows) {
    await t.step(name, async () => {
      await using directory = await LabDirectory.make();
      const patience = signal === "SIGKILL" ? 200 : 10_000;
      await using process = await start(directory, argv, patience);
      assert.equal(isGroupAlive(process.pid), true);
      assert.equal((await process.stop()).signal, signal);
      assert.equal(isGroupAlive(process.pid), false);
      assert.equal(await process.log(), "ready\n");
    });
  }
});

Deno.test("LabProcess.start() fails with the log of a program that ends", async () => {
  await using directory = await LabDirectory.make();
  const failing = start(directory, ["sh", "-c", "echo no port; exit 3"]);
  await assert.rejects(failing, (error: Error) => {
    assert.match(error.message, /Cannot start the program.*\n.*no port/);
    assert.match(String(error.cause), /exit code 3/);
    return true;
  });
});

Deno.test("LabProcess ends with the test program, however that ends", async (t) => {
  const script = `
    import { LabProcess } from ${
    JSON.stringify(import.meta.resolve("./process.ts"))
  };
    const argv = JSON.parse(Deno.args[0]);
    const logFile = Deno.args[1];
    const { pid } = await LabProcess.start(argv, { name: "orphan", logFile });
    console.log(pid);
    await new Promise((resolve) => setTimeout(resolve, 100_000));
  `;
  for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
    await t.step(signal, async () => {
      await using directory = await LabDirectory.make();
      const file = directory.path("program.ts");
      await Deno.writeTextFile(file, script);
      const log = directory.path("log");
      await using program = await LabProcess.start([
        ...[Deno.execPath(), "run", "-A", "--no-lock", file],
        ...[JSON.stringify(STUBBORN), log],
      ], { name: "a test program", logFile: directory.path("pid") });
      const orphan = await waitFor("the orphan", async () => {
        return Number((await program.log()).match(/^(\d+)\n/m)?.[1]) ||
          undefined;
      });
      assert.equal(isGroupAlive(orphan), true);
      program.signal(signal);
      await program.exited;
      await waitFor("the orphan's end", () => !isGroupAlive(orphan));
    });
  }
});

Deno.test("run() kills a program that takes too long, with its children", async () => {
  const late = run(["sh", "-c", "sleep 100 & sleep 100"], { timeoutMs: 50 });
  await assert.rejects(late, /took longer than 50 ms/);
});

Deno.test("run() gives a program what it is told, and nothing of ours", async () => {
  Deno.env.set("DENO_KEYLIME_STRAY", "stray");
  try {
    const stdin = new TextEncoder().encode("in");
    const env = { GIVEN: "yes" };
    const script = 'cat; echo "$GIVEN$DENO_KEYLIME_STRAY" >&2; exit 7';
    const output = await run(["sh", "-c", script], { stdin, env });
    assert.deepEqual(output, { code: 7, stdout: "in", stderr: "yes\n" });
  } finally {
    Deno.env.delete("DENO_KEYLIME_STRAY");
  }
});
