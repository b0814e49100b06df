/**
 * Becomes the accounts in its arguments (user, group, user, group, …), one
 * after the other, and prints as JSON what it is then, by the kernel's own
 * account.
 *
 * @module
 */

import process from "node:process";
import { dropPrivileges } from "../../../service/privileges.ts";
import { describe } from "../../../log/log.ts";

/** Real, effective, saved and file system ids, or supplementary groups. */
function ids(name: string, status: string): number[] {
  const line = status.split("\n").find((line) => line.startsWith(`${name}:`));
  return (line ?? "").split(/\s+/).slice(1).filter((word) => word !== "")
    .map(Number);
}

function regains(attempt: () => void): boolean {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}

try {
  for (let at = 0; at < Deno.args.length; at += 2) {
    const [user = "", group = ""] = Deno.args.slice(at);
    dropPrivileges({ user, group });
  }
  const tasks = [...Deno.readDirSync("/proc/self/task")].map(({ name }) =>
    Deno.readTextFileSync(`/proc/self/task/${name}/status`)
  );
  process.stdout.write(JSON.stringify({
    threads: tasks.map((status) => ({
      uid: ids("Uid", status),
      gid: ids("Gid", status),
      groups: ids("Groups", status).sort((a, b) => a - b),
    })),
    regains: [
      regains(() => process.setuid?.(0)),
      regains(() => process.setgid?.(0)),
      regains(() => Deno.readTextFileSync("/etc/shadow")),
    ],
  }));
} catch (error) {
  process.stdout.write(describe(error));
  process.exitCode = 1;
}
