import assert from "node:assert/strict";
import { P256, Pki } from "../api/support/pki.ts";
import { freePorts } from "../lab/ports.ts";
import { runOk } from "../lab/command.ts";
import { waitFor } from "../lab/wait.ts";
import { AgentProcess, startUnread, UUID } from "./support/agent_process.ts";
import { BareTpm, codeOf } from "./support/bare_tpm.ts";
import { makeCredential } from "./support/credential.ts";
import { answer, FakeRegistrar } from "./support/fake_registrar.ts";

const CREATE_PRIMARY = 0x131;
const PCR_READ = 0x17e;
const RETRYING = "trying again in";

/** A registrar that gives the agent on `lab` a credential it can open. */
function registrarFor(lab: BareTpm): FakeRegistrar {
  const registrar: FakeRegistrar = FakeRegistrar.start({
    POST: [async (): Promise<Response> => {
      const body = registrar.requests.at(-1)?.body ?? "";
      const blob = await makeCredential(lab, { body, secret: "secret" });
      return answer(200, { blob })();
    }],
  });
  return registrar;
}

/** Asserts that `log` tells of a stop and of nothing else at its end. */
function assertStopped(log: string): void {
  assert.match(log, / INFO {2}keylime_agent > Stopped\n$/);
  assert.doesNotMatch(log, /abort/i);
}

Deno.test("the agent listens while it tries to register, and stops cleanly", async (t) => {
  await using lab = await BareTpm.make();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    await t.step(signal, async () => {
      const port = freePorts();
      const options = { port };
      await using agent = await AgentProcess.start(lab, RETRYING, { options });
      const connection = await Deno.connect({ port });
      assert.equal(await agent.endBy(signal), 0);
      connection.close();
      assertStopped(await agent.log());
      assert.deepEqual(await lab.leavings(), []);
    });
  }
  await t.step("in a long pause", async () => {
    const options = {
      exponential_backoff_initial_delay: 300_000,
      exponential_backoff_max_delay: 300_000,
    };
    await using agent = await AgentProcess.start(lab, RETRYING, { options });
    assert.equal(await agent.endBy("SIGTERM"), 0);
    assertStopped(await agent.log());
    assert.deepEqual(await lab.leavings(), []);
  });
});

Deno.test("the agent stops cleanly when it is told to while it starts", async (t) => {
  await using lab = await BareTpm.make();
  const rows = [
    { name: "at its first look at the TPM", code: PCR_READ },
    { name: "while the TPM makes the endorsement key", code: CREATE_PRIMARY },
  ];
  for (const { name, code } of rows) {
    await t.step(name, async () => {
      const reached = Promise.withResolvers<void>();
      const told = Promise.withResolvers<void>();
      lab.mux.intercept = async (command) => {
        if (codeOf(command) !== code) return undefined;
        lab.mux.intercept = undefined;
        reached.resolve();
        await told.promise;
        return undefined;
      };
      await using agent = await AgentProcess.start(lab, "");
      await reached.promise;
      agent.signal("SIGTERM");
      told.resolve();
      assert.equal((await agent.exited()).code, 0);
      assertStopped(await agent.log());
      assert.deepEqual(await lab.leavings(), []);
    });
  }
});

Deno.test("the agent makes its payload key while the TPM makes the endorsement key", async () => {
  await using lab = await BareTpm.make();
  lab.mux.intercept = async (command) => {
    if (codeOf(command) !== CREATE_PRIMARY) return undefined;
    lab.mux.intercept = undefined;
    await waitFor("the payload key's file", async () => {
      const file = await Deno.readTextFile(lab.path("payload-private.pem"))
        .catch(() => "");
      return file.includes("END PRIVATE KEY");
    });
    return undefined;
  };
  await using _agent = await AgentProcess.start(lab, "Listening on");
});

Deno.test("the agent can be ended when its TPM hangs", async () => {
  await using lab = await BareTpm.make();
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  lab.mux.intercept = async (command) => {
    if (codeOf(command) !== PCR_READ) return undefined;
    reached.resolve();
    await released.promise;
    return undefined;
  };
  await using agent = await AgentProcess.start(lab, "");
  await reached.promise;
  agent.signal("SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, 200));
  agent.signal("SIGTERM");
  const { signal } = await agent.exited();
  assert.equal(signal, "SIGTERM");
  released.resolve();
});

Deno.test("the agent registers, serves, and stops cleanly with a client connected", async () => {
  await using lab = await BareTpm.make();
  await using pki = await Pki.create();
  const authority = await pki.selfSigned("/CN=authority", P256);
  const verifier = await pki.issue(authority, {
    subject: "/CN=verifier",
    keyArguments: P256,
  });
  await using registrar = registrarFor(lab);
  const port = freePorts();
  const options = {
    port,
    registrar_port: registrar.port,
    trusted_client_ca: authority.certificatePath,
  };
  const ready = `SUCCESS: Agent ${UUID} activated`;
  await using agent = await AgentProcess.start(lab, ready, { options });
  await waitFor("the attestation key alone to stay", async () => {
    return (await lab.leavings()).length === 1;
  });

  using client = Deno.createHttpClient({
    caCerts: [await Deno.readTextFile(lab.path("server-cert.crt"))],
    cert: verifier.certificate,
    key: verifier.key,
  });
  const url = `https://127.0.0.1:${port}/v2.6/quotes/identity?nonce=1234567890`;
  const quoted = await fetch(url, { client });
  assert.equal(quoted.status, 200);
  assert.match((await quoted.json()).results.quote, /^r/);

  const underWay = Promise.withResolvers<void>();
  lab.mux.intercept = async (command) => {
    if (codeOf(command) !== PCR_READ) return undefined;
    lab.mux.intercept = undefined;
    underWay.resolve();
    await new Promise((resolve) => setTimeout(resolve, 300));
    return undefined;
  };
  const asking = fetch(url, { client });
  await underWay.promise;
  assert.equal(await agent.endBy("SIGTERM"), 0);
  const last = await asking;
  assert.equal(last.status, 200);
  await last.body?.cancel();
  assertStopped(await agent.log());
  assert.deepEqual(await lab.leavings(), []);
});

Deno.test("the agent tells which options the environment overrides", async () => {
  await using lab = await BareTpm.make();
  const env = { KEYLIME_AGENT_REGISTRAR_IP: "127.0.0.2" };
  await using agent = await AgentProcess.start(lab, RETRYING, { env });
  const log = await agent.log();
  assert.match(
    log,
    /DEBUG keylime_agent > Environment configuration registrar_ip=127\.0\.0\.2$/m,
  );
  assert.match(log, /connecting to 127\.0\.0\.2/);
  assert.doesNotMatch(log, /connecting to 127\.0\.0\.1/);
  assert.match(log, /Network error.*connection failed/);
  assert.match(log, /INFO {2}keylime_agent > Starting server with API version/);
  await agent.endBy("SIGTERM");
});

Deno.test("the agent goes on when nobody reads its log any more", async () => {
  await using lab = await BareTpm.make();
  const port = freePorts();
  const agent = await startUnread(lab, { options: { port } });
  let hasEnded = false;
  const ended = agent.status.then((status) => {
    hasEnded = true;
    return status;
  });
  try {
    await waitFor("the agent to listen", async () => {
      if (hasEnded) return true;
      const connection = await Deno.connect({ port }).catch(() => undefined);
      connection?.close();
      return connection !== undefined;
    });
    assert.equal(hasEnded, false);
  } finally {
    if (!hasEnded) agent.kill("SIGTERM");
  }
  assert.equal((await ended).code, 0);
  assert.deepEqual(await lab.leavings(), []);
});

Deno.test({
  name: "the agent drops root before it touches the TPM, and works without it",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using lab = await BareTpm.make();
    await runOk(["chown", "nobody:nogroup", lab.directory]);
    await Deno.writeTextFile(lab.path("ima"), "10 line\n", { mode: 0o400 });
    await using registrar = registrarFor(lab);
    const options = {
      run_as: "nobody:nogroup",
      registrar_port: registrar.port,
      ima_ml_path: lab.path("ima"),
    };
    const ready = `SUCCESS: Agent ${UUID} activated`;
    await using agent = await AgentProcess.start(lab, ready, { options });
    const [status, owner] = await Promise.all([
      Deno.readTextFile(`/proc/${agent.pid}/status`),
      Deno.stat(lab.path("agent_data.json")),
    ]);
    const nobody = Number(await runOk(["id", "-u", "nobody"]));
    assert.match(status, new RegExp(`^Uid:(\t${nobody}){4}$`, "m"));
    assert.equal(owner.uid, nobody);
    assert.doesNotMatch(await agent.log(), /Cannot open the log ".*\/ima"/);
    assert.equal(await agent.endBy("SIGTERM"), 0);
    assertStopped(await agent.log());
  },
});
