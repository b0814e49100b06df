/**
 * The tenant enrols the machine with policies of its real boot and its real
 * files, and a payload; the verifier attests it while it works.
 *
 * @module
 */

import assert from "node:assert/strict";
import { FIRST_FAILURE } from "../lab/lab.ts";
import {
  createMeasuredBootPolicy,
  createRuntimePolicy,
} from "../lab/policies.ts";
import { waitFor } from "../lab/wait.ts";
import { type AttestedMachine, PATIENCE } from "./attested_machine.ts";

/** What the machine is trusted with: policies and payload for the tenant. */
export interface Enrolment {
  /** Arguments of `keylime_tenant`. */
  readonly args: readonly string[];
}

const BOOT_LOG = "/sys/kernel/security/tpm0/binary_bios_measurements";

/**
 * Files that root reads and that change while a machine lives, as the manual
 * advises; nowhere here are programs run from.
 */
const EXCLUDES = [
  "/etc/.*",
  "/root/.*",
  "/var/cache/debconf/.*",
  "/var/lib/.*",
  "/var/log/.*",
];

/**
 * What the policy's maker does not find among the root's files: where a portable
 * agent unpacks itself and runs from, and what does not belong to root, although
 * root reads it.
 */
const BESIDES = ["/var/cache/keylime", "/usr/etc/keylime"];

/** What the payload's files leave behind. */
export const MARKS = {
  payload: "/var/lib/keylime/payload-was-here",
  revocation: "/var/lib/keylime/revocation-was-here",
} as const;

const PAYLOAD: Readonly<Record<string, string>> = {
  "autorun.sh": `#!/bin/sh
id -un >${MARKS.payload}
cat secret.txt >>${MARKS.payload}
`,
  "secret.txt": "for an attested machine only\n",
  "action_list": "local_action_mark\n",
  "local_action_mark": `#!/bin/sh
cp "$1" ${MARKS.revocation}
`,
};

/** While it is there, the machine works. */
const WORKING = "/run/working";

/** In shell: runs all programs and reads all units, one after the other. */
const WORK = `
while :; do
  for f in /usr/bin/* /usr/lib/systemd/system/*; do
    [ -e ${WORKING} ] || exit 0
    case $f in
    /usr/bin/*) timeout 10 "$f" --version </dev/null ;;
    *) cat "$f" ;;
    esac >/dev/null 2>&1
    sleep 0.1
  done
done`;

/** The polls that must all succeed while the machine works. */
const POLLS = 300;

/** Makes policies of what the machine booted and has on its disks. */
export async function prepare(all: AttestedMachine): Promise<Enrolment> {
  const { lab: { directory }, guest, root } = all;
  const bootLog = directory.path("boot_log");
  await Deno.writeFile(bootLog, await guest.read(BOOT_LOG));
  const boot = await createMeasuredBootPolicy(
    directory.path("boot.json"),
    bootLog,
  );
  const runtime = await createRuntimePolicy(directory.path("runtime.json"), {
    excludes: EXCLUDES,
    args: ["--rootfs", root.tree, "--algo", "sha256"],
  });
  await allow(runtime, await digestsBelow(all, BESIDES));
  const payload = directory.path("payload");
  await Deno.mkdir(payload);
  for (const [name, text] of Object.entries(PAYLOAD)) {
    await Deno.writeTextFile(`${payload}/${name}`, text);
  }
  return {
    args: [
      ...["--mb-policy", boot, "--runtime-policy", runtime],
      ...["--cert", directory.path("ca-of-payloads"), "--include", payload],
    ],
  };
}

/** Adds to a policy; keylime-policy cannot, for files and digests at once. */
async function allow(
  file: string,
  digests: Readonly<Record<string, string[]>>,
): Promise<void> {
  const policy = JSON.parse(await Deno.readTextFile(file));
  Object.assign(policy.digests, digests);
  await Deno.writeTextFile(file, JSON.stringify(policy));
}

async function digestsBelow(
  { guest }: AttestedMachine,
  directories: readonly string[],
): Promise<Record<string, string[]>> {
  // One that is not there has nothing to find.
  const { stdout: lines } = await guest.run([
    ...["find", ...directories, "-type", "f"],
    ...["-exec", "sha256sum", "{}", "+"],
  ]);
  return Object.fromEntries(
    lines.split("\n").filter((line) => line !== "").map((line) => {
      const [digest = "", path = ""] = line.split("  ");
      return [path, [digest]];
    }),
  );
}

/** The verifier accepts the machine: keys, boot, and what it ran. */
export async function enrols(
  all: AttestedMachine,
  command: "add" | "update",
  { args }: Enrolment,
): Promise<void> {
  await all.lab.tenant(command, all.agent, args);
  const known = await all.lab.attested(all.agent, 2, PATIENCE);
  assert.equal(known.attestation_status, "PASS");
}

/** The payload's script ran, as keylime. */
export async function payloadRan({ guest }: AttestedMachine): Promise<void> {
  const text = await waitFor("the payload's mark", async () => {
    const { code, stdout } = await guest.run(["cat", MARKS.payload]);
    return code === 0 && stdout.endsWith("only\n") && stdout;
  }, PATIENCE);
  assert.equal(text, "keylime\nfor an attested machine only\n");
  await guest.ok(["rm", MARKS.payload]);
}

/**
 * Attested again and again while the machine runs all its programs and reads
 * its files, which the kernel measures, and while `meanwhile` goes on.
 */
export async function staysAttested(
  all: AttestedMachine,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const { guest, lab, agent } = all;
  const before = await entries(all);
  await guest.write(WORKING, "");
  const work = guest.run(["sh", "-c", WORK], 3 * PATIENCE.timeoutMs);
  try {
    await Promise.all([lab.attested(agent, POLLS, PATIENCE), meanwhile()]);
  } finally {
    await guest.ok(["rm", WORKING]);
    await work;
  }
  const added = await entries(all) - before;
  assert.ok(added > 100, `only ${added} new entries`);
  assert.doesNotMatch(await lab.keylime.verifier.log(), FIRST_FAILURE);
}

/** How many entries the kernel's measurement list has. */
async function entries({ guest }: AttestedMachine): Promise<number> {
  const list = "/sys/kernel/security/ima/ascii_runtime_measurements";
  return Number(await guest.shell(`wc -l <${list}`));
}
