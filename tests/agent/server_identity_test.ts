import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import {
  openPayloadKey,
  openServerIdentity,
} from "../../agent/server_identity.ts";
import type { AgentConfig } from "../../config/agent_config.ts";
import { encodePem } from "../../crypto/pem.ts";
import { selfSignedCertificate } from "../../crypto/self_signed.ts";
import { recordingLog } from "../api/support/attester.ts";
import { P256, Pki } from "../api/support/pki.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";
import { configIn } from "./support/configuration.ts";

const UUID = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000";
const KEYS = new URL("../fixtures/crypto/keys/", import.meta.url);
const DAY_MS = 86_400_000;

/** Opens the identity that `config` describes. */
async function open(config: AgentConfig): Promise<{
  readonly identity: Awaited<ReturnType<typeof openServerIdentity>>;
  readonly lines: readonly string[];
}> {
  const { log, lines } = recordingLog();
  const identity = await openServerIdentity(config, {
    uuid: UUID,
    payloadKey: await openPayloadKey(config),
  }, log);
  return { identity, lines };
}

/** Copies the repository's RSA key to `path`. */
async function putRsaKey(path: string, mode = 0o600): Promise<void> {
  await Deno.copyFile(new URL("test-rsa.pem", KEYS), path);
  await Deno.chmod(path, mode);
}

Deno.test("openServerIdentity() makes both keys and the certificate once", async () => {
  await using place = await temporaryDirectory();
  const config = await configIn(place.path, 'contact_ip = "10.0.0.7"');
  const { identity, lines } = await open(config);
  assert.deepEqual(lines, [
    `info Generated a new key in ${place.path}/payload-private.pem`,
    `info Generated a new key in ${place.path}/server-private.pem`,
    `info Generated a certificate in ${place.path}/server-cert.crt`,
  ]);
  const modes = await Promise.all(
    ["payload-private.pem", "server-private.pem"].map(async (name) =>
      ((await Deno.stat(`${place.path}/${name}`)).mode ?? 0) & 0o777
    ),
  );
  assert.deepEqual(modes, [0o600, 0o600]);
  const { tls, payloadPublicKey } = identity;
  assert.match(payloadPublicKey, /^-----BEGIN PUBLIC KEY-----\n.*\n$/s);
  assert.ok(tls);
  const certificate = new X509Certificate(tls.certificate);
  assert.equal(certificate.subject, `CN=${UUID}`);
  assert.match(certificate.subjectAltName ?? "", /IP Address:10\.0\.0\.7/);
  assert.ok(certificate.checkPrivateKey(createPrivateKey(tls.key)));

  const again = await open(config);
  assert.deepEqual(again.lines, []);
  assert.equal(again.identity.payloadPublicKey, payloadPublicKey);
  assert.deepEqual(again.identity.tls, tls);
});

Deno.test("openServerIdentity() makes no server key for plain text, and warns", async () => {
  await using place = await temporaryDirectory();
  const config = await configIn(
    place.path,
    "enable_agent_mtls = false",
    'payload_script = ""',
  );
  const { identity, lines } = await open(config);
  assert.equal(identity.tls, undefined);
  assert.deepEqual(identity.trustedClientCa, []);
  assert.match(lines[1] ?? "", /^warn mTLS disabled: anybody who reaches/);
  const names = await Array.fromAsync(Deno.readDir(place.path), (e) => e.name);
  assert.deepEqual(names, ["payload-private.pem"]);
});

Deno.test("openServerIdentity() takes an older agent's one key for both purposes", async () => {
  await using place = await temporaryDirectory();
  const config = await configIn(place.path);
  await putRsaKey(config.serverKey.path);
  const { identity, lines } = await open(config);
  assert.match(lines[0] ?? "", /^info Took the server's RSA key over .*know$/);
  const key = createPrivateKey(
    await Deno.readTextFile(config.payloadKey.path),
  );
  assert.ok(identity.payloadKey.equals(key));
  assert.deepEqual((await open(config)).lines, []);
});

Deno.test("openServerIdentity() warns of keys that everybody can read", async () => {
  await using place = await temporaryDirectory();
  const config = await configIn(place.path);
  await putRsaKey(config.payloadKey.path, 0o644);
  await putRsaKey(config.serverKey.path, 0o604);
  const { lines } = await open(config);
  assert.deepEqual(lines.slice(0, 2), [
    `warn Every user can read the private key ${config.payloadKey.path}; set ` +
    "its mode to 0600",
    `warn Every user can read the private key ${config.serverKey.path}; set ` +
    "its mode to 0600",
  ]);
});

Deno.test("openServerIdentity() refuses a payload key that verifiers cannot use", async () => {
  await using place = await temporaryDirectory();
  const config = await configIn(place.path);
  await Deno.copyFile(
    new URL("prime256v1.pem", KEYS),
    config.payloadKey.path,
  );
  await assert.rejects(open(config), /payload_key .*must hold an RSA key/);
});

Deno.test("openServerIdentity() tells how a certificate's time stands", async (t) => {
  const rows = [
    {
      name: "expired, and ours",
      years: -21,
      want: /^warn The certificate in .* had expired and was made anew; agents/,
      isKept: false,
    },
    {
      name: "soon",
      years: -20 + 30 / 365.25,
      want:
        /^warn The certificate in .* expires on \d{4}-.*Z; renew it in time$/,
      isKept: true,
    },
    {
      name: "in the future",
      years: 1,
      want: /^warn The certificate in .* is valid from \d{4}-.* is the clock /,
      isKept: true,
    },
  ];
  for (const { name, years, want, isKept } of rows) {
    await t.step(name, async () => {
      await using place = await temporaryDirectory();
      const config = await configIn(place.path);
      await putRsaKey(config.serverKey.path);
      const key = createPrivateKey(
        await Deno.readTextFile(config.serverKey.path),
      );
      const now = new Date(Date.now() + years * 365.25 * DAY_MS);
      const contact = "127.0.0.1";
      const old = encodePem(
        "CERTIFICATE",
        selfSignedCertificate({ uuid: UUID, contact, key, now }),
      );
      await Deno.writeTextFile(config.serverCertificate, old);
      const { identity, lines } = await open(config);
      assert.match(lines.at(-1) ?? "", want);
      assert.equal(identity.tls?.certificate === old, isKept);
    });
  }
  await t.step("expired, and its issuer's", async () => {
    await using pki = await Pki.create();
    const authority = await pki.selfSigned("/CN=authority", P256);
    const leaf = await pki.issue(authority, {
      subject: "/CN=agent",
      expired: true,
      keyArguments: P256,
    });
    await using place = await temporaryDirectory();
    const config = await configIn(place.path);
    await Deno.copyFile(leaf.keyPath, config.serverKey.path);
    await Deno.chmod(config.serverKey.path, 0o600);
    await Deno.copyFile(leaf.certificatePath, config.serverCertificate);
    const { lines } = await open(config);
    assert.match(
      lines.at(-1) ?? "",
      /^error The certificate in .* expired on 2021-01-01T00:00:00.000Z: every/,
    );
  });
});
