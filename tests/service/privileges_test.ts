import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { run, runOk } from "../lab/command.ts";

const CHILD = fileURLToPath(
  new URL("support/drop_privileges.ts", import.meta.url),
);

/** Only root has something to drop. */
const ignore = Deno.uid() !== 0;

/** What a process is after it became `user` and `group`. */
interface Became {
  readonly threads: readonly {
    readonly uid: readonly number[];
    readonly gid: readonly number[];
    readonly groups: readonly number[];
  }[];
  readonly regains: readonly boolean[];
}

async function become(
  ...accounts: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string }> {
  return await run([
    ...[Deno.execPath(), "run", "--no-prompt", "--cached-only"],
    ...["--allow-all", CHILD, ...accounts],
  ]);
}

async function number(...command: readonly string[]): Promise<number> {
  return Number(await runOk(command));
}

/** Group number of `group`. */
async function gidOf(group: string): Promise<number> {
  const [, , gid] = (await runOk(["getent", "group", group])).split(":");
  return Number(gid);
}

/** Accounts of this machine whose users are in other groups besides. */
async function accounts(): Promise<(readonly [string, string])[]> {
  const passwd = await runOk(["getent", "passwd"]);
  const users = passwd.trim().split("\n").map((line) =>
    line.split(":")[0] ?? ""
  );
  const found: (readonly [string, string])[] = [["nobody", "nogroup"]];
  for (const user of users) {
    const groups = (await runOk(["id", "-Gn", user])).trim().split(" ");
    if (user !== "root" && groups.length > 1) {
      found.push([user, groups[0] ?? ""]);
      break;
    }
  }
  return found;
}

Deno.test({
  name: "dropPrivileges() becomes the account in every thread, with its groups",
  ignore,
  async fn(t) {
    const supplementary = (await accounts()).at(-1) ?? ["nobody", "nogroup"];
    const rows = [
      ...await accounts(),
      ["nobody", "tss"] as const,
      [supplementary[0], "tss"] as const,
    ];
    for (const [user, group] of rows) {
      await t.step(`${user}:${group}`, async () => {
        const uid = await number("id", "-u", user);
        const gid = await gidOf(group);
        const ofUser = (await runOk(["id", "-G", user])).trim().split(" ")
          .map(Number);
        // The user's own primary group counts only if it is also listed.
        const primary = await number("id", "-g", user);
        const { code, stdout } = await become(user, group);
        assert.equal(code, 0, stdout);
        const became: Became = JSON.parse(stdout);
        assert.ok(became.threads.length > 1);
        for (const thread of became.threads) {
          assert.deepEqual(thread.uid, [uid, uid, uid, uid]);
          assert.deepEqual(thread.gid, [gid, gid, gid, gid]);
          assert.equal(thread.groups.includes(0), false);
          assert.ok(thread.groups.includes(gid));
          for (const other of ofUser.filter((id) => id !== primary)) {
            assert.ok(thread.groups.includes(other), `group ${other} is lost`);
          }
        }
        assert.deepEqual(became.regains, [false, false, false]);
      });
    }
  },
});

Deno.test({
  name: "dropPrivileges() names an account that does not exist, and run_as",
  ignore,
  async fn(t) {
    const rows = [
      { user: "no-such-user", group: "nogroup", want: 'user "no-such-user"' },
      { user: "nobody", group: "no-such-group", want: 'group "no-such-group"' },
    ];
    for (const { user, group, want } of rows) {
      await t.step(want, async () => {
        const { code, stdout } = await become(user, group);
        assert.equal(code, 1);
        assert.equal(
          stdout,
          `Option "run_as" names ${want}, which does not exist on this ` +
            "machine; create it or change the option",
        );
      });
    }
  },
});

Deno.test({
  name:
    "dropPrivileges() does not go on for a process that may not become another",
  ignore,
  async fn() {
    const accounts = ["nobody", "nogroup", "daemon", "daemon"];
    const { code, stdout } = await become(...accounts);
    assert.equal(code, 1);
    assert.match(stdout, /^The agent cannot set its supplementary groups and/);
  },
});
