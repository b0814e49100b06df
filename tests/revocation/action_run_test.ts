import assert from "node:assert/strict";
import { type ActionRun, runAction } from "../../revocation/action_run.ts";
import { RevocationError } from "../../revocation/error.ts";
import { waitFor } from "../lab/wait.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";
import { RecordedLog } from "./bench.ts";

/** A script in a directory of its own, and the log of its runs. */
class Action extends RecordedLog implements AsyncDisposable {
  readonly directory: string;
  readonly stop = new AbortController();

  private constructor(directory: string) {
    super();
    this.directory = directory;
  }

  static async of(script: string, mode = 0o700): Promise<Action> {
    const action = new Action(await Deno.makeTempDir());
    await Deno.writeTextFile(action.path, script);
    await Deno.chmod(action.path, mode);
    return action;
  }

  get path(): string {
    return `${this.directory}/the action`;
  }

  run(changes: Partial<ActionRun> = {}): Promise<void> {
    return runAction({
      name: "local_action_test",
      path: this.path,
      message: '{"type":"revocation"}',
      directory: this.directory,
      timeLimitMs: 60_000,
      log: this.log,
      signal: this.stop.signal,
      ...changes,
    });
  }

  async left(): Promise<readonly string[]> {
    return await Array.fromAsync(Deno.readDir(this.directory), (e) => e.name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

const sh = (text: string): Promise<Action> => Action.of(`#!/bin/sh\n${text}\n`);

function failure(wanted: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof RevocationError, String(error));
    assert.equal(error.problem, "action");
    assert.match(error.message, wanted);
    return true;
  };
}

Deno.test("runAction() gives the action one private file with the message", async () => {
  await using action = await sh('echo "$#"; stat -c "%a %n" "$1"; cat "$1"');
  const message = '{"a":"ä\u{1f512}","type":"revocation"}';
  await action.run({ message });
  const [before, count, file, content, after, ...more] = action.lines;
  assert.equal(before, "info Executing revocation action local_action_test");
  assert.equal(count, 'info Action stdout: "1"');
  assert.match(
    file ?? "",
    new RegExp(`"600 ${action.directory}/\\.tmp[A-Za-z0-9]{6}"$`),
  );
  assert.equal(JSON.parse(content?.slice(20) ?? ""), message);
  assert.equal(after, "info Revocation action local_action_test succeeded");
  assert.deepEqual(more, []);
  assert.deepEqual(await action.left(), ["the action"]);
});

Deno.test("runAction() runs it in the working directory, in a clean environment", async () => {
  Deno.env.set("KEYLIME_TEST_SECRET", "secret");
  try {
    await using action = await sh("pwd; cat; env");
    await action.run();
    const output = action.lines.join("\n");
    assert.match(output, new RegExp(`"${action.directory}"`));
    assert.match(output, /"PATH=\/usr\/local\/sbin:/);
    assert.doesNotMatch(output, /SECRET|RUST_LOG|KEYLIME|TCTI/);
  } finally {
    Deno.env.delete("KEYLIME_TEST_SECRET");
  }
});

Deno.test("runAction() logs what the action says, when it says it", async () => {
  await using action = await sh(
    'echo first; echo \'\x1b[31mred\' >&2; read -r _ <"$(dirname "$0")/go"',
  );
  await new Deno.Command("mkfifo", { args: [`${action.directory}/go`] })
    .output();
  const running = action.run();
  await action.has(/^info Action stdout: "first"$/);
  await action.has(/^warn Action stderr: "\\u001b\[31mred"$/);
  assert.equal(action.count(/succeeded/), 0);
  await Deno.writeTextFile(`${action.directory}/go`, "\n");
  await running;
  await action.has(/succeeded/);
});

Deno.test("runAction() tells each failure as it was, and leaves no file", async (t) => {
  const name = "^Revocation action local_action_test ";
  const rows: readonly (readonly [string, Promise<Action>, string])[] = [
    ["status 3", sh("exit 3"), "failed with exit status 3$"],
    ["SIGKILL", sh("kill -KILL $$"), "was ended by signal SIGKILL$"],
    [
      "time limit",
      sh("sleep 100 & sleep 100"),
      'did not end within 0.3 s and was ended; option "revocation_action_tim',
    ],
    [
      "no execute permission",
      Action.of("#!/bin/sh\n", 0o600),
      "could not be started; its file must be executable .*ermission denied",
    ],
    [
      "no interpreter",
      Action.of("#!/no/such/interpreter\n"),
      "could not be started; its file must be executable",
    ],
  ];
  for (const [title, made, wanted] of rows) {
    await t.step(title, async () => {
      await using action = await made;
      await assert.rejects(
        action.run({ timeLimitMs: title === "time limit" ? 300 : 60_000 }),
        failure(new RegExp(name + wanted)),
      );
      assert.equal(action.count(/succeeded/), 0);
      assert.deepEqual(await action.left(), ["the action"]);
    });
  }
});

Deno.test("runAction() ends the action and its children when the agent stops", async () => {
  await using action = await sh("sleep 100 & echo $!; wait");
  const running = action.run();
  await action.has(/Action stdout/);
  const [, child] = /stdout: "(\d+)"/.exec(action.lines.join()) ?? [];
  action.stop.abort();
  await assert.rejects(running, failure(/was ended because the agent stops$/));
  await waitFor("the child to end", async () => {
    const status = await Deno.readTextFile(`/proc/${child}/status`)
      .catch(() => "");
    return !status || /^State:\s+[ZX]/m.test(status);
  });
  assert.deepEqual(await action.left(), ["the action"]);
});

Deno.test("runAction() does not mind an action that takes its file away", async () => {
  await using action = await sh('mv "$1" "$1.kept"');
  await action.run();
  assert.equal(action.count(/succeeded/), 1);
});

Deno.test("runAction() runs nothing when the message cannot be written", async () => {
  await using action = await sh("echo ran");
  await using elsewhere = await temporaryDirectory();
  const directory = `${elsewhere.path}/none`;
  await assert.rejects(
    action.run({ directory }),
    failure(/^Cannot write the revocation message to ".*none\/\.tmp/),
  );
  assert.deepEqual(action.lines, []);
});
