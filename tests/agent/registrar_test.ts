import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { type Identity, openIdentity } from "../../agent/identity.ts";
import { registerAgent } from "../../agent/registrar.ts";
import {
  openPayloadKey,
  openServerIdentity,
  type ServerIdentity,
} from "../../agent/server_identity.ts";
import type { AgentConfig } from "../../config/agent_config.ts";
import { encodePem } from "../../crypto/pem.ts";
import { recordingLog } from "../api/support/attester.ts";
import { BareTpm } from "./support/bare_tpm.ts";
import { configIn } from "./support/configuration.ts";
import { makeCredential } from "./support/credential.ts";
import { answer, FakeRegistrar } from "./support/fake_registrar.ts";
import { defineNv } from "./support/nv.ts";

const CERTIFICATE = new URL(
  "../fixtures/crypto/ekcerts/lab-a-ecc256.der",
  import.meta.url,
);

const { log } = recordingLog();
const signal = new AbortController().signal;

/** An agent that is ready to register at `port`. */
async function agentIn(
  lab: BareTpm,
  port: number,
  ...options: readonly string[]
): Promise<{
  readonly config: AgentConfig;
  readonly identity: Identity;
  readonly server: ServerIdentity;
}> {
  const config = await configIn(
    lab.directory,
    ...['tpm_encryption_alg = "ecc"', 'tpm_signing_alg = "ecdsa"'],
    ...['contact_ip = "10.0.0.7"', "contact_port = 9999"],
    `registrar_port = ${port}`,
    ...options,
  );
  const identity = await openIdentity(lab.tpm, config, log);
  const server = await openServerIdentity(config, {
    uuid: identity.uuid,
    payloadKey: await openPayloadKey(config),
  }, log);
  return { config, identity, server };
}

Deno.test("registerAgent() registers both keys, proves them, and unloads the endorsement key", async () => {
  await using lab = await BareTpm.make();
  const secret = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
  await using registrar = FakeRegistrar.start({
    POST: [async (): Promise<Response> => {
      const body = registrar.requests.at(-1)?.body ?? "";
      const blob = await makeCredential(lab, { body, secret });
      return answer(200, { blob })();
    }],
  });
  const { config, identity, server } = await agentIn(lab, registrar.port);
  await using _identity = identity;
  await registerAgent(lab.tpm, { config, identity, server, log, signal });

  const [, post, put] = registrar.requests;
  const { aik_tpm, ek_tpm, ...rest } = JSON.parse(post?.body ?? "");
  assert.equal(Uint8Array.fromBase64(aik_tpm).length, 90);
  assert.equal(Uint8Array.fromBase64(ek_tpm).length, 124);
  assert.deepEqual(rest, {
    iak_cert: null,
    idevid_cert: null,
    ip: "10.0.0.7",
    mtls_cert: server.tls?.certificate,
    port: 9999,
  });
  const key = btoa(secret);
  const tag = createHmac("sha384", key).update(identity.uuid).digest("hex");
  assert.deepEqual(JSON.parse(put?.body ?? ""), { auth_tag: tag });
  assert.deepEqual(await lab.leavings(), [identity.ak.handle]);
});

Deno.test("registerAgent() sends the EK certificate, and tells that mTLS is off", async () => {
  await using lab = await BareTpm.make();
  const certificate = await Deno.readFile(CERTIFICATE);
  await defineNv(lab, [0x01c0_000a, certificate]);
  await using registrar = FakeRegistrar.start({ POST: [answer(403)] });
  const { config, identity, server } = await agentIn(
    lab,
    registrar.port,
    "enable_agent_mtls = false",
    'payload_script = ""',
  );
  await using _identity = identity;
  const options = { config, identity, server, log, signal };
  await assert.rejects(registerAgent(lab.tpm, options), /regdelete/);
  const body = JSON.parse(registrar.requests[1]?.body ?? "");
  assert.equal(body.mtls_cert, "disabled");
  assert.equal(body.ekcert, encodePem("CERTIFICATE", certificate));
});

Deno.test("registerAgent() names a file with the registrar's CA that it cannot use", async (t) => {
  await using lab = await BareTpm.make();
  const { config, identity, server } = await agentIn(lab, 1);
  await using _identity = identity;
  const caCertificate = lab.path("cacert.crt");
  const registrar = {
    ...config.registrar,
    tls: { kind: "tls", port: 1, caCertificate },
  } as const;
  const refuses = async (): Promise<void> => {
    await assert.rejects(
      registerAgent(lab.tpm, {
        config: { ...config, registrar },
        identity,
        server,
        log,
        signal,
      }),
      /"registrar_tls_ca_cert" names .*cacert\.crt/,
    );
  };
  await t.step("missing", refuses);
  for (const text of ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n"]) {
    await t.step(JSON.stringify(text), async () => {
      await Deno.writeTextFile(caCertificate, text);
      await refuses();
    });
  }
});
