import assert from "node:assert/strict";
import { Lab, STATE } from "./lab.ts";
import { digestOf, filledPcr } from "./pcr_bank.ts";

Deno.test("a tpm_policy decides over PCR values", async (t) => {
  await using lab = await Lab.start({ verifier: { quote_interval: 0.2 } });
  await using machine = await lab.machine();
  await using agent = await machine.agent(lab.keylime);
  const extension = digestOf("sha256", "a measured program");
  await machine.tpm.extend(23, new Map([["sha256", extension]]));
  const value = digestOf("sha256", filledPcr("sha256"), extension);
  const policy = (hex: string): string => JSON.stringify({ "23": [hex] });
  await agent.start();

  await t.step("the expected value passes", async () => {
    await lab.tenant("add", agent, ["--tpm_policy", policy(value.toHex())]);
    await lab.attested(agent, 3);
  });
  await t.step("an extended register fails", async () => {
    await machine.tpm.extend(23, new Map([["sha256", extension]]));
    const known = await lab.failed(agent);
    assert.equal(known.operational_state, STATE.invalidQuote);
    assert.equal(known.last_event_id, "pcr_validation.invalid_pcr_23");
  });
  await t.step("the new value passes", async () => {
    const next = digestOf("sha256", value, extension).toHex();
    await lab.tenant("update", agent, ["--tpm_policy", policy(next)]);
    await lab.attested(agent, 2);
  });
  await t.step("many registers at once pass", async () => {
    const zeros = filledPcr("sha256").toHex();
    const many = Object.fromEntries(
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15]
        .map((pcr) => [String(pcr), [zeros]]),
    );
    await lab.tenant("update", agent, ["--tpm_policy", JSON.stringify(many)]);
    await lab.attested(agent, 2);
  });
});
