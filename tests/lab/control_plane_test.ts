import assert from "node:assert/strict";
import { EkCa } from "./ek_ca.ts";
import { ControlPlane } from "./keylime.ts";
import { LabDirectory } from "./lab_directory.ts";
import { isGroupAlive } from "./process.ts";

Deno.test("ControlPlane.start() brings up all of Keylime, and disposal ends it", async (t) => {
  const pids: (number | undefined)[] = [];
  await using directory = await LabDirectory.make();
  const ca = await EkCa.create(directory.path("ca"));
  {
    let at = performance.now();
    await using keylime = await ControlPlane.start(directory.path("keylime"), {
      trustedTpmMakers: [ca.certificate],
    });
    console.log("start", performance.now() - at);
    pids.push(keylime.verifier.pid, keylime.registrar.pid);

    await t.step("the registrar answers agents", async () => {
      const { registrarPort } = keylime.place;
      const answer = await fetch(`http://127.0.0.1:${registrarPort}/version`);
      assert.equal((await answer.json()).results.current_version, "2.6");
    });
    await t.step("verifier and registrar know no agent", async () => {
      assert.equal(await keylime.verifierAgent("nobody"), undefined);
      assert.equal(await keylime.registrarAgent("nobody"), undefined);
    });
    for (const command of ["cvlist", "reglist"]) {
      await t.step(`the tenant's ${command} succeeds`, async () => {
        const { code, stdout, stderr } = await keylime.tenant(["-c", command]);
        assert.equal(code, 0, stdout + stderr);
        assert.match(stdout, /"uuids": \[\]/);
      });
    }
    await t.step("the tenant's status of an unknown agent fails", async () => {
      assert.equal(await keylime.tenantStatus("cvstatus", "nobody"), undefined);
    });
    await t.step("the verifier can be restarted", async () => {
      const before = keylime.verifier.pid;
      await keylime.verifier.restart();
      assert.notEqual(keylime.verifier.pid, before);
      pids.push(keylime.verifier.pid);
      assert.equal(await keylime.verifierAgent("nobody"), undefined);
    });
    await t.step("nothing went wrong by the servers' own account", async () => {
      const logs = await keylime.verifier.log() + await keylime.registrar.log();
      assert.doesNotMatch(logs, /Traceback/);
    });
    at = performance.now();
    await keylime[Symbol.asyncDispose]();
    console.log("stop", performance.now() - at);
  }
  for (const pid of pids) assert.equal(isGroupAlive(Number(pid)), false);
});
