/**
 * From the first boot after the installation to an agent that is registered, by
 * the steps of SUSE's manual.
 *
 * @module
 */

import assert from "node:assert/strict";
import { waitFor } from "../lab/wait.ts";
import { type AttestedMachine, PATIENCE, UNIT } from "./attested_machine.ts";
import { HOST } from "./virtual_machine.ts";

/** Mode, owner and group of what the package, systemd and udev made. */
const MODES = `755 root:root /usr/bin/keylime_agent
700 keylime:tss /usr/etc/keylime
600 keylime:tss /usr/etc/keylime/agent.conf
750 keylime:tss /usr/libexec/keylime
644 root:root /usr/lib/systemd/system/keylime_agent.service
644 root:root /usr/lib/systemd/system/var-lib-keylime-secure.mount
700 keylime:tss /var/lib/keylime
700 keylime:tss /var/lib/keylime/cv_ca
750 keylime:tss /var/log/keylime
700 keylime:tss /run/keylime
660 root:tss /dev/tpmrm0`;

/** Fails unless systemd is content with all units. */
export async function nothingFailed({ guest }: AttestedMachine): Promise<void> {
  const failed = await guest.ok([
    ...["systemctl", "list-units", "--failed", "--plain", "--no-legend"],
  ]);
  assert.equal(failed, "");
}

/** The machine is up, measured, and has a read-only root. */
export async function bootsUp(all: AttestedMachine): Promise<void> {
  await all.machine.powerOn();
  const { stdout } = await all.guest.run([
    ...["systemctl", "is-system-running", "--wait"],
  ], PATIENCE.timeoutMs);
  assert.equal(stdout, "running\n");
  const { guest } = all;
  assert.match(await guest.ok(["cat", "/proc/mounts"]), /^\S+ \/ ext4 ro,/m);
  assert.match(
    await guest.ok([
      "head",
      "-1",
      "/sys/kernel/security/ima/ascii_runtime_measurements",
    ]),
    /^10 [0-9a-f]{40} ima-sig sha256:[0-9a-f]{64} boot_aggregate/,
  );
}

/** rpm finds its files unchanged; accounts, directories and device are right. */
export async function isInstalled(all: AttestedMachine): Promise<void> {
  const { guest } = all;
  assert.equal(await guest.ok(["rpm", "-V", "deno-keylime"]), "");
  const paths = MODES.split("\n").map((line) => line.split(" ")[2] ?? "");
  const modes = await guest.ok(["stat", "-c", "%a %U:%G %n", ...paths]);
  assert.equal(modes, MODES);
  assert.equal(await guest.ok(["id", "-Gn", "keylime"]), "keylime tss");
  const { stdout } = await guest.run(["systemctl", "is-enabled", UNIT]);
  assert.equal(stdout, "disabled\n");
  await nothingFailed(all);
}

/**
 * The manual's steps, and what only a machine behind a forwarded port and a
 * registrar at a port of the lab's need beside them.
 */
export async function configure(all: AttestedMachine): Promise<void> {
  const { guest, lab, agent, machine } = all;
  await guest.ok(["mkdir", "-p", "/etc/keylime/agent.conf.d"]);
  await guest.write(
    "/etc/keylime/agent.conf.d/agent.conf",
    `[agent]
uuid = "${agent.uuid}"
registrar_ip = "${HOST}"
revocation_notification_ip = "${HOST}"
registrar_port = ${lab.keylime.place.registrarPort}
contact_ip = "127.0.0.1"
contact_port = ${machine.agentPort}
`,
  );
  await guest.ok(["chown", "-R", "keylime:tss", "/etc/keylime"]);
  await guest.ok(["chmod", "-R", "600", "/etc/keylime"]);
  await guest.write(
    "/var/lib/keylime/cv_ca/cacert.crt",
    await Deno.readTextFile(lab.keylime.certificates.authority),
  );
}

/** Enabled and started, the unit is active although there is no registrar. */
export async function startsAlone(all: AttestedMachine): Promise<void> {
  await all.lab.keylime.registrar.stop();
  const { guest } = all;
  await guest.ok(["systemctl", "enable", "--now", UNIT], PATIENCE.timeoutMs);
  assert.equal(await guest.ok(["systemctl", "is-active", UNIT]), "active");
  const status = await waitFor("the status", async () => {
    const text = await all.property("StatusText");
    return text.includes("trying again") && text;
  }, PATIENCE);
  assert.match(status, /^Not registered: .*trying again in \d+ s/);
  await nothingFailed(all);
}

/** The registrar appears, and the agent is there without being told. */
export async function registers(all: AttestedMachine): Promise<void> {
  const { lab, agent, machine } = all;
  await lab.keylime.registrar.start();
  const known = await waitFor(
    "the registration",
    () => lab.keylime.registrarAgent(agent.uuid),
    PATIENCE,
  );
  assert.equal(known.ip, "127.0.0.1");
  assert.equal(known.port, machine.agentPort);
  assert.ok(known.ekcert);
  await waitFor("the status", async () => {
    const text = await all.property("StatusText");
    return text.startsWith("Registered with registrar");
  }, PATIENCE);
}

/** The process is nobody's but keylime's, and can do nothing special. */
export async function hasNoPrivileges(all: AttestedMachine): Promise<void> {
  const { guest } = all;
  const pid = await all.property("MainPID");
  const text = await guest.ok(["cat", `/proc/${pid}/status`]);
  const status = new Map(
    text.split("\n").map((line) => {
      const [name = "", value = ""] = line.split(":\t");
      return [name, value];
    }),
  );
  const id = async (flag: string, name: string): Promise<string> =>
    await guest.shell(`getent ${flag} ${name} | cut -d: -f3`);
  const [uid, gid] = [await id("passwd", "keylime"), await id("group", "tss")];
  assert.equal(status.get("Uid"), Array(4).fill(uid).join("\t"));
  assert.equal(status.get("Gid"), Array(4).fill(gid).join("\t"));
  for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) {
    assert.equal(status.get(set), "0".repeat(16), set);
  }
  assert.equal(status.get("NoNewPrivs"), "1");
}

/** Warnings that this machine and an absent registrar call for. */
const WARNINGS =
  /^(?:This is a software TPM: .*|Registration failed \(attempt 1\): .*)$/;

/** The journal has the agent's lines, and none that an administrator must mind. */
export async function logsInOrder(all: AttestedMachine): Promise<void> {
  const journal = await all.journal();
  const lines = journal.trimEnd().split("\n")
    .filter((line) => line.includes(" keylime_agent["))
    .map((line) => / (INFO|WARN) {2}keylime_agent > (.+)$/.exec(line));
  for (const line of lines) {
    assert.ok(line, journal);
    const [, level, text = ""] = line;
    assert.ok(level === "INFO" || WARNINGS.test(text), text);
  }
  assert.match(journal, /INFO {2}keylime_agent > Listening on 0\.0\.0\.0/);
}
