/**
 * From one release of the package to the next, and its removal, on a machine
 * that runs.
 *
 * @module
 */

import assert from "node:assert/strict";
import { waitFor } from "../lab/wait.ts";
import {
  type AttestedMachine,
  PATIENCE,
  UNIT,
  UPDATE,
} from "./attested_machine.ts";
import { nothingFailed } from "./first_boot.ts";
import { registeredKey } from "./second_boot.ts";

const STATE = "/var/lib/keylime/agent_data.json";
const DROP_IN = `/run/systemd/system/${UNIT}.d`;
const CONFIGURATION = "/etc/keylime/agent.conf.d/agent.conf";

/** An update replaces the running agent; what it knows stays. */
export async function isUpdated(all: AttestedMachine): Promise<void> {
  const { guest, lab, agent } = all;
  const key = await registeredKey(all);
  const pid = await all.property("MainPID");
  const state = await guest.ok(["sha256sum", STATE, CONFIGURATION]);
  const before = await lab.keylime.registrarAgent(agent.uuid);
  await guest.ok(["mount", "-o", "remount,rw", "/"]);
  await guest.ok(["rpm", "-U", UPDATE], PATIENCE.timeoutMs);
  assert.match(await guest.ok(["rpm", "-q", "deno-keylime"]), /-2\.x86_64$/);
  assert.equal(await guest.ok(["systemctl", "is-active", UNIT]), "active");
  assert.notEqual(await all.property("MainPID"), pid);
  await waitFor("the new registration", async () => {
    const now = await lab.keylime.registrarAgent(agent.uuid);
    return (now?.regcount ?? 0) > (before?.regcount ?? 0);
  }, PATIENCE);
  assert.equal(await registeredKey(all), key);
  assert.equal(await guest.ok(["sha256sum", STATE, CONFIGURATION]), state);
  await nothingFailed(all);
}

/** From the next start of the agent on, it may not hang for long. */
export async function shortenWatchdog(
  { guest }: AttestedMachine,
): Promise<void> {
  await guest.ok(["mkdir", "-p", DROP_IN]);
  await guest.write(
    `${DROP_IN}/watchdog.conf`,
    "[Service]\nWatchdogSec=20s\n",
  );
  await guest.ok(["systemctl", "daemon-reload"]);
}

/** systemd ends an agent that hangs, and starts it anew. */
export async function watchdogBites(all: AttestedMachine): Promise<void> {
  const { guest } = all;
  const pid = await all.property("MainPID");
  await guest.ok(["systemctl", "kill", "--signal=SIGSTOP", UNIT]);
  await waitFor("a new process", async () => {
    const now = await all.property("MainPID");
    return now !== pid && await all.property("ActiveState") === "active";
  }, PATIENCE);
  assert.match(await all.journal(), /Watchdog timeout/);
  await guest.ok(["rm", "-r", DROP_IN]);
  await guest.ok(["systemctl", "daemon-reload"]);
  await nothingFailed(all);
}

/** Removed, it leaves nothing but what the administrator and the machine made. */
export async function isRemoved(all: AttestedMachine): Promise<void> {
  const { guest } = all;
  const packages = ["deno-keylime", "deno-keylime-ima-policy"];
  const files = (await guest.ok(["rpm", "-ql", ...packages])).split("\n");
  await guest.ok(["rpm", "-e", ...packages], PATIENCE.timeoutMs);
  const { stdout: left } = await guest.run(["ls", "-d", ...files]);
  // Other packages have these, too.
  const shared =
    /^\/usr\/(?:lib|share)\/(?:doc|licenses|tmpfiles\.d|firewalld)/;
  assert.deepEqual(
    left.split("\n").filter((path) => path !== "" && !shared.test(path)),
    [],
  );
  assert.equal(await unitFiles(all), "");
  const { stdout } = await guest.run(["systemctl", "is-active", UNIT]);
  assert.equal(stdout, "inactive\n");
  const { stdout: processes } = await guest.run([
    ...["find", "/proc", "-maxdepth", "1", "-user", "keylime"],
  ]);
  assert.equal(processes, "");
  await guest.ok(["ls", STATE, CONFIGURATION]);
  await nothingFailed(all);
}

async function unitFiles({ guest }: AttestedMachine): Promise<string> {
  return (await guest.run([
    ...["systemctl", "list-unit-files", "--no-legend"],
    ...["keylime*", "ima-policy*", "var-lib-keylime*"],
  ])).stdout;
}
