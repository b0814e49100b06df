import assert from "node:assert/strict";
import { Lab, STATE } from "./lab.ts";
import { createRuntimePolicy } from "./policies.ts";

Deno.test("a runtime policy decides over what a machine ran", async (t) => {
  await using lab = await Lab.start({ verifier: { quote_interval: 0.2 } });
  await using machine = await lab.machine();
  const { ima } = machine;
  await ima.append("/usr/bin/allowed", "allowed");
  const policy = await createRuntimePolicy(lab.directory.path("policy.json"), {
    measurementList: ima.file,
    excludes: ["/tmp/.*"],
  });
  await using agent = await machine.agent(lab.keylime);
  await agent.start();

  await t.step("listed files pass", async () => {
    await lab.tenant("add", agent, ["--runtime-policy", policy]);
    const known = await lab.attested(agent, 3);
    assert.equal(known.attestation_status, "PASS");
  });
  await t.step("a listed file that runs again passes", async () => {
    await ima.append("/usr/bin/allowed", "allowed");
    await lab.attested(agent, 2);
  });
  await t.step("a file below an excluded path passes", async () => {
    await ima.append("/tmp/whatever", "anything");
    await lab.attested(agent, 2);
  });
  await t.step("many entries at once pass", async () => {
    for (let i = 0; i < 300; i++) await ima.append(`/tmp/many/${i}`, `${i}`);
    await lab.attested(agent, 2);
  });
  await t.step("a list so long that it is streamed passes", async () => {
    await agent.stop();
    const directory = `/tmp/${"long-name/".repeat(100)}`;
    for (let i = 0; i < 300; i++) await ima.append(`${directory}${i}`, `${i}`);
    await agent.start();
    await lab.attested(agent, 2);
    assert.match(await agent.log(), /integrity.*: 200/);
  });
  await t.step(
    "an unlisted file fails, and the verifier names it",
    async () => {
      await ima.append("/usr/bin/unknown", "unknown");
      const known = await lab.failed(agent);
      assert.equal(known.operational_state, STATE.invalidQuote);
      assert.equal(
        known.last_event_id,
        "ima.validation.ima-ng.not_in_allowlist",
      );
      assert.match(
        await lab.keylime.verifier.log(),
        /File not found in allowlist: \/usr\/bin\/unknown/,
      );
    },
  );
  await t.step("reactivation with a policy that lists it passes", async () => {
    const wider = await createRuntimePolicy(lab.directory.path("wider.json"), {
      measurementList: ima.file,
    });
    await lab.tenant("update", agent, ["--runtime-policy", wider]);
    await lab.attested(agent, 2);
  });
});

Deno.test("an agent that failed is attested again after reactivation", async () => {
  await using lab = await Lab.start({ verifier: { quote_interval: 0.2 } });
  await using machine = await lab.machine();
  await using agent = await machine.agent(lab.keylime);
  await agent.start();
  await lab.tenant("add", agent);
  await lab.attested(agent, 2);
  await agent.stop();
  const known = await lab.verifierSays(
    agent,
    "it cannot reach the agent",
    ({ operational_state }) => operational_state === STATE.failed,
    { timeoutMs: 90_000 },
  );
  assert.equal(known.last_event_id, "internal.verifier.not_reachable");
  await agent.start();
  await lab.tenant("reactivate", agent);
  await lab.verifierSays(
    agent,
    "the agent is attested again",
    ({ operational_state }) => operational_state === STATE.getQuote,
  );
  await lab.attested(agent, 2);
});
