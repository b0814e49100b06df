import assert from "node:assert/strict";
import { API_VERSIONS } from "../../config/api_versions.ts";
import { Lab } from "./lab.ts";

Deno.test("tenant and verifier agree with the agent on each API version", async (t) => {
  await using lab = await Lab.start({ verifier: { quote_interval: 0.2 } });
  await using machine = await lab.machine();
  await using agent = await machine.agent(lab.keylime);
  const config = (extra: Record<string, string>): Promise<void> =>
    agent.configure({ ima_ml_path: machine.ima.file, ...extra });

  await t.step("by default on the newest", async () => {
    await agent.start();
    await lab.tenant("add", agent);
    await lab.attested(agent, 2);
    assert.match(await agent.log(), /GET "\/v2\.6\/quotes\/integrity"/);
    await lab.tenant("delete", agent);
    await agent.stop();
  });
  for (const version of API_VERSIONS) {
    await t.step(`on ${version} where that is all there is`, async () => {
      await config({ api_versions: version });
      const before = (await agent.log()).length;
      await agent.start();
      await lab.tenant("add", agent);
      const known = await lab.attested(agent, 2);
      const log = (await agent.log()).slice(before);
      assert.ok(
        log.includes(`Starting server with API versions: ${version}\n`),
      );
      assert.ok(log.includes(`GET "/v${version}/quotes/identity"`));
      assert.ok(log.includes(`GET "/v${version}/quotes/integrity"`));
      assert.equal(known.enc_alg, version < "2.5" ? "rsa" : "rsa2048");
      await lab.tenant("delete", agent);
      await agent.stop();
    });
  }
  await t.step("the verifier follows an agent that was updated", async () => {
    await config({ api_versions: "2.1" });
    await agent.start();
    await lab.tenant("add", agent);
    await lab.attested(agent, 2);
    await agent.stop();
    await config({ api_versions: "default" });
    await agent.start();
    await lab.attested(agent, 3);
  });
});
