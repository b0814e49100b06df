import assert from "node:assert/strict";
import { EkCa } from "./ek_ca.ts";
import { ControlPlane } from "./keylime.ts";
import { LabDirectory } from "./lab_directory.ts";
import { isGroupAlive } from "./process.ts";

Deno.test("ControlPlane brings up all of Keylime, several side by side, and ends it", async (t) => {
  await using directory = await LabDirectory.make();
  const ca = await EkCa.create(directory.path("ca"));
  const pids: (number | undefined)[] = [];
  {
    await using stack = new AsyncDisposableStack();
    const [keylime, other] = await Promise.all(
      ["one", "two"].map(async (name) =>
        stack.use(
          await ControlPlane.start(directory.path(name), {
            trustedTpmMakers: [ca.certificate],
          }),
        )
      ),
    );
    assert.ok(keylime && other);
    pids.push(keylime.verifier.pid, keylime.registrar.pid);
    pids.push(other.verifier.pid, other.registrar.pid);

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
    await t.step(
      "one's client certificate is nothing to the other",
      async () => {
        const { authority, clientCertificate, clientKey } =
          keylime.certificates;
        using client = Deno.createHttpClient({
          caCerts: [await Deno.readTextFile(other.certificates.authority)],
          cert: await Deno.readTextFile(clientCertificate),
          key: await Deno.readTextFile(clientKey),
        });
        const url = `https://127.0.0.1:${other.place.verifierPort}/v2.6/agents`;
        await assert.rejects(fetch(url, { client }), TypeError);
        assert.notEqual(authority, other.certificates.authority);
      },
    );
    await t.step("the verifier can be restarted", async () => {
      const before = keylime.verifier.pid;
      await keylime.verifier.restart();
      pids.push(keylime.verifier.pid);
      assert.notEqual(keylime.verifier.pid, before);
      assert.equal(await keylime.verifierAgent("nobody"), undefined);
    });
    await t.step("nothing went wrong by the servers' own account", async () => {
      const logs = await keylime.verifier.log() + await keylime.registrar.log();
      assert.match(logs, /Starting Keylime verifier/);
      assert.doesNotMatch(logs, /Traceback/);
    });
  }
  assert.equal(pids.length, 5);
  for (const pid of pids) assert.equal(isGroupAlive(Number(pid)), false);
});

Deno.test("ControlPlane.start() says why a server does not start, and leaves none", async () => {
  await using directory = await LabDirectory.make();
  const place = directory.path("keylime");
  const start = ControlPlane.start(place, {
    registrar: { tls_dir: "nowhere" },
  });
  await assert.rejects(start, /Cannot start keylime_registrar/);
  const left = await Array.fromAsync(
    Deno.readDir("/proc"),
    async ({ name }) =>
      await Deno.readTextFile(`/proc/${name}/environ`).catch(() => ""),
  );
  assert.equal(left.some((environ) => environ.includes(place)), false);
});
