import assert from "node:assert/strict";
import { EXIT_CODE } from "../../exit_code.ts";
import { FIRST_FAILURE, Lab } from "./lab.ts";

Deno.test("restarts cause no failed attestation", async (t) => {
  await using lab = await Lab.start({
    verifier: { quote_interval: 0.2, retry_interval: 1 },
  });
  await using machine = await lab.machine();
  await using agent = await machine.agent(lab.keylime);
  await agent.start();
  await lab.tenant("add", agent);
  await lab.attested(agent, 2);

  for (let round = 1; round <= 3; round++) {
    await t.step(`agent killed and started, round ${round}`, async () => {
      await agent.kill();
      await agent.start();
      await lab.attested(agent, 3);
    });
  }
  await t.step("agent stopped and started", async () => {
    assert.equal(await agent.stop(), 0);
    await agent.start();
    await lab.attested(agent, 3);
  });
  await t.step("verifier restarted", async () => {
    await lab.keylime.verifier.restart();
    await lab.attested(agent, 3);
  });
  await t.step("registrar record deleted, agent registers again", async () => {
    await lab.tenant("regdelete", agent);
    await agent.stop();
    await agent.start();
    await lab.attested(agent, 2);
  });
  await t.step("machine rebooted in order, agent started anew", async () => {
    await agent.stop();
    await machine.tpm.powerCycle();
    await agent.start();
    await lab.attested(agent, 3);
  });
  await t.step("the verifier saw no bad quote in all that", async () => {
    assert.doesNotMatch(await lab.keylime.verifier.log(), FIRST_FAILURE);
  });
});

Deno.test("an agent whose key moves into the TPM and out again stays attested", async (t) => {
  await using lab = await Lab.start({ verifier: { quote_interval: 0.2 } });
  await using machine = await lab.machine();
  await using agent = await machine.agent(lab.keylime);
  const options = { ima_ml_path: machine.ima.file };
  const moves = [
    { name: "in", change: { ak_handle: "0x81080001" } },
    { name: "still in", change: { ak_handle: "0x81080001" } },
    { name: "out again", change: {} },
  ];
  await agent.start();
  await lab.tenant("add", agent);
  await lab.attested(agent, 2);
  const before = await lab.keylime.registrarAgent(agent.uuid);
  for (const { name, change } of moves) {
    await t.step(name, async () => {
      assert.equal(await agent.stop(), 0);
      await agent.configure({ ...options, ...change });
      await agent.start();
      await lab.attested(agent, 3);
    });
  }
  const known = await lab.keylime.registrarAgent(agent.uuid);
  assert.equal(known?.aik_tpm, before?.aik_tpm);
  assert.match(await agent.log(), /Found the attestation key at 0x81080001/);
  assert.doesNotMatch(await lab.keylime.verifier.log(), FIRST_FAILURE);
});

Deno.test("an agent that loses its TPM ends, and is attested after its next start", async () => {
  await using lab = await Lab.start({
    verifier: { quote_interval: 0.2, retry_interval: 1 },
  });
  await using machine = await lab.machine();
  await using agent = await machine.agent(lab.keylime);
  await agent.start();
  await lab.tenant("add", agent);
  await lab.attested(agent, 2);
  machine.tpm.mux.intercept = () => {
    throw new Error("the TPM is gone");
  };
  const { code } = await agent.process.exited;
  assert.equal(code, EXIT_CODE.trouble);
  assert.match(await agent.log(), /The agent has lost its TPM and ends/);
  machine.tpm.mux.intercept = undefined;
  await agent.start();
  await lab.attested(agent, 3);
});

Deno.test("a second TPM cannot take over an agent's id", async () => {
  await using lab = await Lab.start();
  await using machine = await lab.machine();
  await using agent = await machine.agent(lab.keylime);
  await agent.start();
  await using other = await lab.machine();
  await using impostor = await other.agent(lab.keylime, { uuid: agent.uuid });
  await impostor.start("started");
  const { code } = await impostor.process.exited;
  assert.equal(code, EXIT_CODE.refused);
  assert.match(await impostor.log(), /regdelete -u/);
  const known = await lab.keylime.registrarAgent(agent.uuid);
  assert.equal(known?.regcount, 1);
});

Deno.test("an agent registers when the registrar comes up late", async () => {
  await using lab = await Lab.start();
  await lab.keylime.registrar.stop();
  await using machine = await lab.machine();
  await using agent = await machine.agent(lab.keylime);
  await agent.start("listening");
  await agent.logs("Network error: connection failed");
  await lab.keylime.registrar.start();
  await agent.logs(`SUCCESS: Agent ${agent.uuid} activated`);
});

Deno.test("an agent registers over TLS, trusting the configured CA alone", async () => {
  await using lab = await Lab.start();
  await using machine = await lab.machine();
  const { registrarTlsPort } = lab.keylime.place;
  const tls = {
    registrar_tls_enabled: true,
    registrar_tls_port: registrarTlsPort,
  };
  await using agent = await machine.agent(lab.keylime, {
    options: {
      ...tls,
      registrar_tls_ca_cert: lab.keylime.certificates.authority,
      // Nothing listens there: plain text could not succeed by accident.
      registrar_port: 1,
    },
  });
  await agent.start();
  assert.ok(await lab.keylime.registrarAgent(agent.uuid));
  await agent.stop();

  await agent.configure({ ...tls, registrar_tls_ca_cert: lab.ca.certificate });
  await agent.start("listening");
  await agent.logs("Registration failed (attempt 1)");
  assert.match(
    await agent.log(),
    /registrar at https:\S+: self-signed certificate in certificate chain/,
  );
});
