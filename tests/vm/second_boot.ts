/**
 * A reboot, and what the machine goes through after it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { FIRST_FAILURE } from "../lab/lab.ts";
import { waitFor } from "../lab/wait.ts";
import { type AttestedMachine, PATIENCE } from "./attested_machine.ts";
import { MARKS } from "./enrolment.ts";
import { bootsUp, nothingFailed } from "./first_boot.ts";

/** A program that no policy knows. */
const INTRUDER = "/var/tmp/intruder";

/** The attestation key that the registrar knows the agent by. */
export async function registeredKey(
  { lab, agent }: AttestedMachine,
): Promise<string> {
  const known = await lab.keylime.registrarAgent(agent.uuid);
  assert.ok(known);
  return known.aik_tpm;
}

/**
 * Reboots, the verifier asking all the while; on the way the package with the
 * kernel's policy is installed, as transactional-update does it. Back up, the
 * machine is attested, with nobody's help and the same key.
 */
export async function comesBack(all: AttestedMachine): Promise<void> {
  const key = await registeredKey(all);
  await all.guest.order(["systemctl", "reboot"]);
  await all.machine.poweredOff();
  await all.root.install([all.packages.imaPolicy]);
  await all.root.write();
  await bootsUp(all);
  await all.lab.attested(all.agent, 10, PATIENCE);
  assert.equal(await registeredKey(all), key);
  const log = await all.lab.keylime.verifier.log();
  assert.doesNotMatch(log, FIRST_FAILURE);
  await nothingFailed(all);
}

/** The kernel goes by the policy that was installed for it. */
export async function usesOwnImaPolicy(
  { guest }: AttestedMachine,
): Promise<void> {
  // A kernel that takes a policy once per boot takes the file away then.
  const { code } = await guest.run([
    "test",
    "-e",
    "/sys/kernel/security/ima/policy",
  ]);
  assert.equal(code, 1);
  const log = await guest.shell("dmesg | grep 'ima: policy update'");
  assert.match(log, /policy update completed/);
}

/** A new program fails the machine, and the payload's action learns of it. */
export async function isRevoked(all: AttestedMachine): Promise<void> {
  const { guest, lab, agent } = all;
  await guest.write(INTRUDER, "#!/bin/sh\nexit 0\n");
  await guest.ok(["chmod", "755", INTRUDER]);
  await guest.ok([INTRUDER]);
  const known = await lab.failed(agent, PATIENCE);
  assert.equal(known.last_event_id, "ima.validation.ima-ng.not_in_allowlist");
  const log = await lab.keylime.verifier.log();
  assert.ok(log.includes(`File not found in allowlist: ${INTRUDER}`));
  const message = await waitFor("the revocation action", async () => {
    const { code, stdout } = await guest.run(["cat", MARKS.revocation]);
    return code === 0 && stdout;
  }, PATIENCE);
  assert.equal(JSON.parse(message).agent_id, agent.uuid);
}
