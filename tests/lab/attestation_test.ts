import assert from "node:assert/strict";
import { Lab, STATE } from "./lab.ts";

/** What each kind of agent says, and needs of the tenant. */
const KINDS = [
  { name: "RSA", options: {}, encryption: "rsa2048", signing: "rsassa" },
  {
    name: "ECC",
    options: { tpm_encryption_alg: "ecc", tpm_signing_alg: "ecdsa" },
    encryption: "ecc256",
    signing: "ecdsa",
  },
] as const;

Deno.test("an agent is registered, enrolled and stays attested", async (t) => {
  await using lab = await Lab.start({ verifier: { quote_interval: 0.2 } });
  for (const { name, options, encryption, signing } of KINDS) {
    await using machine = await lab.machine();
    await using agent = await machine.agent(lab.keylime, { options });

    await t.step(`${name}: registers with its EK certificate`, async () => {
      await agent.start();
      const known = await lab.keylime.registrarAgent(agent.uuid);
      assert.ok(known?.ekcert, "the registrar has no EK certificate");
      assert.equal(known.regcount, 1);
      assert.equal(known.port, agent.port);
    });
    await t.step(`${name}: the tenant checks the certificate`, async () => {
      const said = await lab.tenant("add", agent);
      assert.match(said, /added to Verifier/);
    });
    await t.step(`${name}: passes ten polls after its first`, async () => {
      await lab.attested(agent, 1);
      const known = await lab.attested(agent, 10);
      assert.equal(known.operational_state, STATE.getQuote);
      assert.equal(known.attestation_status, "PASS");
      assert.equal(known.hash_alg, "sha256");
      assert.equal(known.enc_alg, encryption);
      assert.equal(known.sign_alg, signing);
    });
    await t.step(`${name}: reglist and cvlist know it`, async () => {
      for (const command of ["reglist", "cvlist"]) {
        const { code, stdout } = await lab.keylime.tenant(["-c", command]);
        assert.equal(code, 0);
        assert.ok(stdout.includes(agent.uuid), stdout);
      }
    });
    await t.step(`${name}: can be deleted and added again`, async () => {
      await lab.tenant("delete", agent);
      assert.equal(await lab.keylime.verifierAgent(agent.uuid), undefined);
      await lab.tenant("add", agent);
      await lab.attested(agent, 2);
    });
  }
  const logs = await lab.keylime.verifier.log() +
    await lab.keylime.registrar.log();
  assert.doesNotMatch(logs, /Traceback/);
});

Deno.test("a TPM of an unknown maker is not enrolled", async () => {
  await using lab = await Lab.start();
  const { EkCa } = await import("./ek_ca.ts");
  const stranger = await EkCa.create(lab.directory.path("stranger"));
  await using machine = await lab.machine({ ca: stranger });
  await using agent = await machine.agent(lab.keylime);
  await agent.start();
  await assert.rejects(lab.tenant("add", agent), /ended with 1/);
  assert.equal(await lab.keylime.verifierAgent(agent.uuid), undefined);
});
