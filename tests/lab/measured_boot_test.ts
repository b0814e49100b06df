import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parseEventLog } from "./event_log.ts";
import { Lab, STATE } from "./lab.ts";
import { digestOf } from "./pcr_bank.ts";
import { createMeasuredBootPolicy } from "./policies.ts";

const EVENT_LOG = fileURLToPath(
  new URL(
    "../fixtures/lab/event_logs/keylime-mb-secureboot.bin",
    import.meta.url,
  ),
);

Deno.test("a measured boot policy decides over how a machine booted", async (t) => {
  await using lab = await Lab.start({
    verifier: {
      quote_interval: 0.2,
      measured_boot_policy_name: "example",
      measured_boot_evaluate: "always",
    },
  });
  const policy = await createMeasuredBootPolicy(
    lab.directory.path("mb_policy.json"),
    EVENT_LOG,
  );

  await t.step("the recorded boot passes", async () => {
    await using machine = await lab.machine({ eventLog: EVENT_LOG });
    await using agent = await machine.agent(lab.keylime);
    await agent.start();
    await lab.tenant("add", agent, ["--mb-policy", policy]);
    await lab.attested(agent, 3);

    // What a changed boot loader would do after the log was written.
    const digest = digestOf("sha256", "another boot loader");
    await machine.tpm.extend(4, new Map([["sha256", digest]]));
    const known = await lab.failed(agent);
    assert.equal(known.operational_state, STATE.invalidQuote);
    assert.equal(known.last_event_id, "measured_boot.invalid_pcr_4");
    await lab.tenant("delete", agent);
  });
  await t.step("a changed log fails", async () => {
    await using machine = await lab.machine({ eventLog: EVENT_LOG });
    assert.ok(machine.bootLog);
    await Deno.writeFile(
      machine.bootLog,
      withChangedDigest(await Deno.readFile(machine.bootLog), 4),
    );
    await using agent = await machine.agent(lab.keylime);
    await agent.start();
    await lab.tenant("add", agent, ["--mb-policy", policy]);
    const known = await lab.failed(agent);
    assert.equal(known.operational_state, STATE.invalidQuote);
    assert.equal(known.last_event_id, "measured_boot.invalid_pcr_4");
  });
});

/** `log` with one bit of a SHA-256 digest of `pcr` changed. */
function withChangedDigest(log: Uint8Array, pcr: number): Uint8Array {
  const digest = parseEventLog(log).findLast((event) => event.pcr === pcr)
    ?.digests.get("sha256");
  assert.ok(digest, `the log has no event of PCR ${pcr}`);
  const at = log.toHex().indexOf(digest.toHex()) / 2;
  const changed = log.slice();
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}
