import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  type ProgramOptions,
  type ProgramOutcome,
  runProgram,
} from "../../payload/program.ts";

/** What became of a shell script, and its lines. */
interface Result {
  readonly outcome: ProgramOutcome;
  readonly lines: string[];
}

async function sh(
  script: string,
  changes: Partial<ProgramOptions> = {},
): Promise<Result> {
  const lines: string[] = [];
  const outcome = await runProgram({
    path: "/bin/sh",
    args: ["-c", script],
    cwd: "/",
    timeLimitMs: 60_000,
    onLine: (line, stream) => lines.push(`${stream}: ${line}`),
    signal: new AbortController().signal,
    ...changes,
  });
  return { outcome, lines };
}

/** Whether process `pid` lives: neither gone nor a corpse. */
async function isAlive(pid: string): Promise<boolean> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`).catch(() => "");
  return status !== "" && !/^State:\s+[ZX]/m.test(status);
}

Deno.test("runProgram() reports how a program ended", async (t) => {
  const rows: { script: string; want: ProgramOutcome }[] = [
    { script: "true", want: { kind: "exited", code: 0 } },
    { script: "exit 3", want: { kind: "exited", code: 3 } },
    { script: "exit 255", want: { kind: "exited", code: 255 } },
    // What a shell says of a child that was killed is not what happened to it.
    { script: "exit 137", want: { kind: "exited", code: 137 } },
    {
      script: "kill -KILL $$",
      want: { kind: "signalled", signal: "SIGKILL" },
    },
    {
      script: "kill -TERM $$",
      want: { kind: "signalled", signal: "SIGTERM" },
    },
    {
      script: "kill -SEGV $$",
      want: { kind: "signalled", signal: "SIGSEGV" },
    },
    {
      script: "kill -KILL 0",
      want: { kind: "signalled", signal: "SIGKILL" },
    },
  ];
  for (const { script, want } of rows) {
    await t.step(script, async () => {
      assert.deepEqual((await sh(script)).outcome, want);
    });
  }
});

Deno.test("runProgram() reports a program that cannot start", async (t) => {
  const rows = [
    { name: "no such file", changes: { path: "/no/such/program" } },
    { name: "not executable", changes: { path: "/etc/passwd" } },
    { name: "a directory", changes: { path: "/etc" } },
    { name: "no such directory", changes: { cwd: "/no/such/directory" } },
  ];
  for (const { name, changes } of rows) {
    await t.step(name, async () => {
      const { outcome, lines } = await sh("true", changes);
      assert.equal(outcome.kind, "not started");
      assert.deepEqual(lines, []);
    });
  }
});

Deno.test("runProgram() does not start when it is stopped already", async () => {
  const { outcome, lines } = await sh("echo ran", {
    signal: AbortSignal.abort(),
  });
  assert.deepEqual(outcome, { kind: "stopped" });
  assert.deepEqual(lines, []);
});

Deno.test("runProgram() passes both outputs on line by line", async () => {
  const { lines } = await sh(
    "echo one; echo two >&2; printf 'three\\n\\nlast'; printf '\\377\\033x' >&2",
  );
  assert.deepEqual(
    lines.filter((line) => line.startsWith("stdout")),
    ["stdout: one", "stdout: three", "stdout: ", "stdout: last"],
  );
  assert.deepEqual(
    lines.filter((line) => line.startsWith("stderr")),
    ["stderr: two", "stderr: \ufffd\x1bx"],
  );
});

Deno.test("runProgram() cuts long lines", async () => {
  const { lines } = await sh(
    "head -c 100000 /dev/zero | tr '\\0' x; echo; echo short",
  );
  assert.deepEqual(lines, [`stdout: ${"x".repeat(8192)}…`, "stdout: short"]);
});

Deno.test("runProgram() gives a clean environment and nothing to read", async () => {
  Deno.env.set("KEYLIME_AGENT_SERVER_KEY_PASSWORD", "secret");
  const { lines } = await sh("cat; env", { env: { EXTRA: "here" } });
  Deno.env.delete("KEYLIME_AGENT_SERVER_KEY_PASSWORD");
  const names = lines.map((line) => line.replace(/^stdout: |=.*/g, ""));
  assert.deepEqual(names.filter((name) => !/^(_|SHLVL)$/.test(name)).sort(), [
    "EXTRA",
    "HOME",
    "LANG",
    "LOGNAME",
    "PATH",
    "PWD",
    "USER",
  ]);
  assert.ok(lines.includes("stdout: EXTRA=here"));
});

Deno.test("runProgram() ends a program at its time limit", async (t) => {
  const rows = [
    { name: "one that obeys", script: "exec sleep 1000" },
    { name: "one that forks", script: "sleep 1000 & sleep 1000 & wait" },
    {
      name: "one that ignores SIGTERM",
      script: "trap '' TERM; while :; do sleep 1000; done",
    },
    {
      name: "one that then says all is well",
      script: "trap 'exit 0' TERM; sleep 1000 & wait",
    },
  ];
  for (const { name, script } of rows) {
    await t.step(name, async () => {
      const { outcome, lines } = await sh(`echo $$; ${script}`, {
        timeLimitMs: 100,
      });
      assert.deepEqual(outcome, { kind: "timed out", limitMs: 100 });
      const pid = lines[0]?.replace("stdout: ", "") ?? "";
      assert.match(pid, /^\d+$/);
      assert.equal(await isAlive(pid), false);
    });
  }
});

Deno.test("runProgram() without a limit ends when it is told to", async () => {
  const controller = new AbortController();
  const { outcome, lines } = await sh("echo $$; sleep 1000 & echo $!; wait", {
    timeLimitMs: 0,
    signal: controller.signal,
    ...collecting((all) => {
      if (all.length === 2) controller.abort();
    }),
  });
  assert.deepEqual(outcome, { kind: "stopped" });
  assert.deepEqual(lines, []);
});

/** An `onLine` that shows `look` all lines so far. */
function collecting(
  look: (all: readonly string[]) => void,
): Pick<ProgramOptions, "onLine"> {
  const all: string[] = [];
  return {
    onLine: (line): void => {
      all.push(line);
      look(all);
    },
  };
}

Deno.test("runProgram() ends what a program leaves running", async (t) => {
  const rows = [
    {
      name: "children",
      script: "for i in 1 2 3; do sleep 1000 & echo $!; done",
    },
    {
      name: "grandchildren without a parent",
      script:
        "(sh -c 'sleep 1000 & echo $!' &); (sleep 1000 & echo $!); sleep 0.2; echo $$",
    },
    {
      name: "jobs in groups of their own",
      script: "set -m; sleep 1000 & echo $!; sleep 1000 & echo $!; echo $$",
    },
    {
      name: "children that ignore SIGTERM",
      script: "trap '' TERM; sleep 1000 & echo $!; echo $$; echo $$",
    },
  ];
  for (const { name, script } of rows) {
    await t.step(name, async () => {
      const { outcome, lines } = await sh(script);
      assert.deepEqual(outcome, { kind: "exited", code: 0 });
      assert.match(
        lines.at(-1) ?? "",
        /^stderr: \[\d process(es)? left running (was|were) ended\]$/,
      );
      const pids = lines.filter((line) => line.startsWith("stdout"));
      assert.equal(pids.length, 3);
      for (const pid of pids) {
        assert.equal(await isAlive(pid.replace("stdout: ", "")), false);
      }
    });
  }
});

Deno.test("runProgram() does not wait for a daemon that keeps the output open", async () => {
  const { outcome, lines } = await sh("setsid sleep 1000 & echo $!; sleep 0.1");
  const pid = lines[0]?.replace("stdout: ", "") ?? "";
  assert.deepEqual(outcome, { kind: "exited", code: 0 });
  assert.equal(await isAlive(pid), true);
  Deno.kill(Number(pid), "SIGKILL");
});

Deno.test("runProgram() hands no file of the agent on", async () => {
  const path = fileURLToPath(import.meta.url);
  using _open = await Deno.open(path);
  const { lines } = await sh("ls -l /proc/self/fd; ls -l /proc/$$/fd");
  assert.ok(lines.some((line) => line.includes("/dev/null")), lines.join());
  assert.ok(!lines.some((line) => line.includes(path)), lines.join());
});
