import assert from "node:assert/strict";
import { ServiceManager } from "../service/support/service_manager.ts";
import { Lab } from "./lab.ts";

Deno.test("the service manager hears of readiness, registration, quotes and stop", async () => {
  await using lab = await Lab.start({ verifier: { quote_interval: 0.2 } });
  await lab.keylime.registrar.stop();
  await using machine = await lab.machine();
  using manager = new ServiceManager();
  await using agent = await machine.agent(lab.keylime, {
    env: { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: "2000000" },
  });
  await agent.start("listening");
  await manager.hears("READY", /^1$/);
  await manager.hears("STATUS", /^Not registered: .*; trying again in \d+ s$/);
  await lab.keylime.registrar.start();
  const registrar = `127\\.0\\.0\\.1:${lab.keylime.place.registrarPort}`;
  await manager.hears(
    "STATUS",
    new RegExp(`^Registered with registrar ${registrar}; no quote yet$`),
  );
  await lab.tenant("add", agent);
  await lab.attested(agent, 3);
  await manager.hears(
    "STATUS",
    new RegExp(
      `^Registered with registrar ${registrar}; \\d+ quotes, last 2\\S+Z$`,
    ),
  );
  await manager.hears("WATCHDOG", /^1$/);
  assert.equal(await agent.stop(), 0);
  await manager.hears("STOPPING", /^1$/);
  assert.equal(manager.values("STATUS").at(-1), "Stopping");
  assert.deepEqual(manager.values("READY"), ["1"]);
});

Deno.test({
  name: "a payload script knows nothing of the service manager",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using lab = await Lab.start({ verifier: { quote_interval: 0.2 } });
    await using machine = await lab.machine();
    using manager = new ServiceManager();
    await using agent = await machine.agent(lab.keylime, {
      env: {
        NOTIFY_SOCKET: manager.address,
        WATCHDOG_USEC: "90000000",
        WATCHDOG_PID: "1",
        JOURNAL_STREAM: "8:1",
      },
    });
    await agent.start();
    const payload = lab.directory.path("payload");
    await Deno.mkdir(payload);
    await Deno.writeTextFile(
      `${payload}/autorun.sh`,
      "#!/bin/sh\nenv > seen\n",
    );
    const ca = lab.directory.path("ca-of-payloads");
    const files = ["--cert", ca, "--include", payload];
    await lab.tenant("add", agent, [...files, "--verify"]);
    await agent.logs("exited with status 0");
    const seen = await Deno.readTextFile(
      `${agent.directory}/secure/unzipped/seen`,
    );
    assert.match(seen, /^PATH=/m);
    assert.doesNotMatch(seen, /NOTIFY|WATCHDOG|JOURNAL|deno-keylime-test/);
  },
});
