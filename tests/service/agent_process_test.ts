import assert from "node:assert/strict";
import { EXIT_CODE } from "../../exit_code.ts";
import { Notifier } from "../../service/notifier.ts";
import { AgentProcess, runAgent } from "../agent/support/agent_process.ts";
import { BareTpm } from "../agent/support/bare_tpm.ts";
import { answer, FakeRegistrar } from "../agent/support/fake_registrar.ts";
import { recordingLog } from "../api/support/attester.ts";
import { freePorts } from "../lab/ports.ts";
import { waitFor } from "../lab/wait.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";
import { ServiceManager } from "./support/service_manager.ts";

const RETRYING = "trying again in";

Deno.test("the agent is ready while there is no registrar, and says so until one refuses it", async () => {
  await using lab = await BareTpm.make();
  using manager = new ServiceManager();
  const port = freePorts();
  await using agent = await AgentProcess.start(lab, "Listening on", {
    options: { registrar_port: port },
    env: { NOTIFY_SOCKET: manager.address },
  });
  await manager.hears("READY", /^1$/);
  await manager.hears(
    "STATUS",
    /^Not registered: Network error: .*127\.0\.0\.1.*; trying again in 1 s$/,
  );
  await using _registrar = FakeRegistrar.start({ POST: [answer(403)] }, port);
  assert.equal((await agent.exited()).code, EXIT_CODE.refused);
  const ended = await manager.hears("STATUS", /^Ended: /);
  assert.match(ended, /refuses agent .*regdelete/);
  assert.deepEqual(manager.values("STOPPING"), ["1"]);
  assert.deepEqual(manager.values("STATUS").slice(0, 2), [
    "Starting: waiting for the TPM",
    "Not registered: asking the registrar",
  ]);
  assert.equal(manager.values("STATUS").at(-2), "Stopping");
  assert.deepEqual(manager.values("WATCHDOG"), []);
});

Deno.test("the agent is never ready with a configuration that is wrong", async () => {
  await using place = await temporaryDirectory();
  using manager = new ServiceManager(`${place.path}/notify`);
  const { code } = await runAgent(place.path, {
    options: { port: 0 },
    env: { NOTIFY_SOCKET: manager.address },
  });
  assert.equal(code, EXIT_CODE.configuration);
  assert.match(manager.values("STATUS").join("\n"), /^Ended: .*"port" is 0/);
  assert.deepEqual(manager.values("READY"), []);
});

Deno.test("the agent feeds the watchdog as long as its TPM answers", async () => {
  await using lab = await BareTpm.make();
  using manager = new ServiceManager();
  await using agent = await AgentProcess.start(lab, RETRYING, {
    env: { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: "400000" },
  });
  /** Resolves after `count` more meals. */
  const fed = async (count: number): Promise<void> => {
    const wanted = manager.values("WATCHDOG").length + count;
    await waitFor(
      "the watchdog to be fed",
      () => manager.values("WATCHDOG").length >= wanted,
    );
  };
  await fed(3);
  const hang = Promise.withResolvers<undefined>();
  lab.mux.intercept = () => hang.promise;
  await agent.logs("The TPM does not answer; the service manager will end");
  const meals = manager.values("WATCHDOG").length;
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.equal(manager.values("WATCHDOG").length, meals);
  lab.mux.intercept = undefined;
  hang.resolve(undefined);
  await fed(2);
  assert.equal(await agent.endBy("SIGTERM"), 0);
  await manager.hears("STOPPING", /^1$/);
  assert.equal(manager.values("STATUS").at(-1), "Stopping");
  assert.deepEqual(await lab.leavings(), []);
});

Deno.test("the agent leaves a watchdog alone that waits for another process", async () => {
  await using lab = await BareTpm.make();
  using manager = new ServiceManager();
  await using agent = await AgentProcess.start(lab, RETRYING, {
    env: {
      NOTIFY_SOCKET: manager.address,
      WATCHDOG_USEC: "20000",
      WATCHDOG_PID: "1",
    },
  });
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(await agent.endBy("SIGTERM"), 0);
  assert.deepEqual(manager.values("WATCHDOG"), []);
});

Deno.test("the agent runs and ends under a service manager that does not listen", async (t) => {
  await using lab = await BareTpm.make();
  await t.step("its queue is full", async () => {
    using manager = new ServiceManager();
    const { log, lines } = recordingLog();
    using notifier = new Notifier(manager.address, log);
    while (lines.length === 0) notifier.send({ STATUS: "of another service" });
    await using agent = await AgentProcess.start(lab, RETRYING, {
      env: { NOTIFY_SOCKET: manager.address },
    });
    assert.equal(await agent.endBy("SIGTERM"), 0);
    assert.match(await agent.log(), /DEBUG .* service manager takes no notice/);
    assert.deepEqual(manager.values("READY"), []);
  });
  await t.step("its socket is gone", async () => {
    await using agent = await AgentProcess.start(lab, RETRYING, {
      env: { NOTIFY_SOCKET: "/nonexistent/notify" },
    });
    assert.equal(await agent.endBy("SIGTERM"), 0);
  });
});

Deno.test("the agent's lines in the journal have priorities, those elsewhere have not", async (t) => {
  for (const isJournal of [true, false]) {
    await t.step(isJournal ? "in the journal" : "elsewhere", async () => {
      await using lab = await BareTpm.make();
      await Deno.writeTextFile(lab.path("agent.log"), "");
      const { dev, ino } = await Deno.stat(lab.path("agent.log"));
      const JOURNAL_STREAM = `${dev}:${isJournal ? ino : 1}`;
      await using agent = await AgentProcess.start(lab, RETRYING, {
        env: { JOURNAL_STREAM },
      });
      assert.equal(await agent.endBy("SIGTERM"), 0);
      const lines = (await agent.log()).trimEnd().split("\n");
      const want = isJournal
        ? /^(<3> ERROR|<4> WARN |<6> INFO |<7> DEBUG) keylime_agent > \S/
        : /^ (ERROR|WARN |INFO |DEBUG) keylime_agent > \S/;
      for (const line of lines) assert.match(line, want);
      assert.ok(lines.some((line) => line.includes("WARN")));
    });
  }
});
