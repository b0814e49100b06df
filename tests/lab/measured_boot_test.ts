import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
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
    const log = await Deno.readFile(machine.bootLog);
    // The last event's digest is well before the end of the log.
    const at = log.length - 400;
    log[at] = (log[at] ?? 0) ^ 0xff;
    await Deno.writeFile(machine.bootLog, log);
    await using agent = await machine.agent(lab.keylime);
    await agent.start();
    await lab.tenant("add", agent, ["--mb-policy", policy]);
    const known = await lab.failed(agent);
    assert.equal(known.operational_state, STATE.invalidQuote);
    assert.match(String(known.last_event_id), /^measured_boot\./);
  });
});
