import assert from "node:assert/strict";
import {
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  X509Certificate,
} from "node:crypto";
import {
  loadOrCreateServerCertificate,
  type ServerCertificateOptions,
} from "../../crypto/server_certificate.ts";
import { openssl } from "../support/openssl.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";

const KEYS = new URL("../fixtures/crypto/keys/", import.meta.url);
const UUID = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000";
const NOW = new Date("2026-11-22T12:34:56.789Z");
const DAY_MS = 24 * 60 * 60 * 1000;

const P256 = keyOf("prime256v1.pem");
const RSA = keyOf("test-rsa.pem");

function textOf(name: string): string {
  return Deno.readTextFileSync(new URL(name, KEYS));
}

function keyOf(name: string): KeyObject {
  return createPrivateKey(textOf(name));
}

function options(
  directory: { readonly path: string },
  changes: Partial<ServerCertificateOptions> = {},
): ServerCertificateOptions {
  const path = `${directory.path}/server.crt`;
  return {
    path,
    key: P256,
    uuid: UUID,
    contact: "agent.test",
    now: NOW,
    ...changes,
  };
}

Deno.test("loadOrCreateServerCertificate() makes a certificate that strict OpenSSL accepts as its own anchor", async (t) => {
  await using directory = await temporaryDirectory();
  const cases = [
    { name: "P-256", key: P256 },
    {
      name: "P-384",
      key: generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey,
    },
    {
      name: "P-521",
      key: generateKeyPairSync("ec", { namedCurve: "P-521" }).privateKey,
    },
    { name: "RSA", key: RSA },
    { name: "Ed25519", key: generateKeyPairSync("ed25519").privateKey },
    {
      name: "P-256, valid beyond 2049",
      key: P256,
      now: new Date("2035-01-01"),
    },
  ];
  for (const { name, key, now = NOW } of cases) {
    await t.step(name, async () => {
      const path = `${directory.path}/${name}.crt`;
      const made = await loadOrCreateServerCertificate(
        options(directory, { path, key, now }),
      );
      assert.equal(made.origin, "generated");
      assert.equal(await Deno.readTextFile(path), made.pem);
      assert.equal(await openssl("x509", "-in", path), made.pem);
      assert.ok(new X509Certificate(made.pem).checkPrivateKey(key));
      const seconds = String(Math.floor(now.getTime() / 1000));
      for (const purpose of ["sslserver", "any"]) {
        await openssl(
          ...["verify", "-x509_strict", "-check_ss_sig", "-attime", seconds],
          ...["-purpose", purpose, "-CAfile", path, path],
        );
      }
    });
  }
});

Deno.test("loadOrCreateServerCertificate() writes the names of the agent, each once", async (t) => {
  await using directory = await temporaryDirectory();
  const fixed =
    "DNS:localhost, DNS:localhost.domain, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1";
  const cases = [
    { contact: "127.0.0.1", want: fixed },
    { contact: "0:0:0:0:0:0:0:1", want: fixed },
    { contact: "localhost", want: fixed },
    { contact: "192.0.2.77", want: `${fixed}, IP Address:192.0.2.77` },
    {
      contact: "2001:db8::ffff:1.2.3.4",
      want: `${fixed}, IP Address:2001:DB8:0:0:0:FFFF:102:304`,
    },
    { contact: "::", want: `${fixed}, IP Address:0:0:0:0:0:0:0:0` },
    {
      contact: "1:2:3:4:5:6:7:8",
      want: `${fixed}, IP Address:1:2:3:4:5:6:7:8`,
    },
    { contact: "agent.example", want: `${fixed}, DNS:agent.example` },
  ];
  for (const [index, { contact, want }] of cases.entries()) {
    await t.step(contact, async () => {
      const path = `${directory.path}/${index}.crt`;
      await loadOrCreateServerCertificate(
        options(directory, { path, contact }),
      );
      const text = await openssl(
        "x509",
        "-in",
        path,
        "-noout",
        "-ext",
        "subjectAltName",
      );
      assert.equal(text.split("\n")[1]?.trim(), want);
    });
  }
});

Deno.test("loadOrCreateServerCertificate() fills the fields as contract section 2.4 and RFC 5280 want", async () => {
  await using directory = await temporaryDirectory();
  const wanted = options(directory, { key: RSA });
  const made = await loadOrCreateServerCertificate(wanted);
  assert.equal(made.notBefore.toISOString(), "2026-11-21T12:34:56.000Z");
  assert.equal(made.notAfter.toISOString(), "2046-11-22T12:34:56.000Z");
  assert.equal(made.status, "valid");
  assert.equal((await Deno.stat(wanted.path)).mode, 0o100644 & ~Deno.umask());
  const text = await openssl("x509", "-in", wanted.path, "-noout", "-text");
  assert.match(text, /Version: 3 /);
  assert.match(text, new RegExp(`Subject: CN = ${UUID}\n`));
  assert.match(text, new RegExp(`Issuer: CN = ${UUID}\n`));
  assert.match(text, /Basic Constraints: critical\n +CA:FALSE\n/);
  assert.match(
    text,
    /Key Usage: critical\n +Digital Signature, Key Encipherment\n/,
  );
  assert.match(
    text,
    /Extended Key Usage: ?\n +TLS Web Server Authentication\n/,
  );
  const id = (name: string): string | undefined =>
    new RegExp(`X509v3 ${name} Key Identifier: ?\n +(?:keyid:)?(\\S+)`).exec(
      text,
    )?.[1];
  assert.ok(id("Subject"));
  assert.equal(id("Authority"), id("Subject"));
});

Deno.test("loadOrCreateServerCertificate() gives every certificate another positive serial number", async () => {
  await using directory = await temporaryDirectory();
  const serials = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const path = `${directory.path}/${i}.crt`;
    const { pem } = await loadOrCreateServerCertificate(
      options(directory, { path }),
    );
    const { serialNumber } = new X509Certificate(pem);
    assert.match(serialNumber, /^[4-7][0-9A-F]{31}$/);
    serials.add(serialNumber);
  }
  assert.equal(serials.size, 20);
});

Deno.test("loadOrCreateServerCertificate() keeps a usable certificate byte for byte", async () => {
  await using directory = await temporaryDirectory();
  const made = await loadOrCreateServerCertificate(options(directory));
  const again = await loadOrCreateServerCertificate(
    options(directory, { uuid: "other", contact: "192.0.2.1" }),
  );
  assert.deepEqual(again, { ...made, origin: "read" });
  assert.equal(await Deno.readTextFile(options(directory).path), made.pem);
});

Deno.test("loadOrCreateServerCertificate() keeps upstream's kind: serial 0 and a signature that does not verify", async () => {
  await using directory = await temporaryDirectory();
  const { path } = options(directory);
  const args = [
    "req",
    "-x509",
    "-key",
    new URL("prime256v1.pem", KEYS).pathname,
  ];
  await openssl(
    ...args,
    "-subj",
    `/CN=${UUID}`,
    "-set_serial",
    "0",
    "-days",
    "365",
    "-out",
    path,
  );
  const der = new X509Certificate(await Deno.readTextFile(path)).raw;
  der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
  const pem = `-----BEGIN CERTIFICATE-----\n${
    der.toString("base64").replace(/.{64}/g, "$&\n").trim()
  }\n-----END CERTIFICATE-----\n`;
  await Deno.writeTextFile(path, pem);
  const found = new X509Certificate(pem);
  assert.equal(found.verify(found.publicKey), false);
  const kept = await loadOrCreateServerCertificate(
    options(directory, { now: new Date() }),
  );
  assert.equal(kept.pem, pem);
  assert.equal(kept.origin, "read");
});

Deno.test("loadOrCreateServerCertificate() gives the leaf alone from a file with a chain and comments", async () => {
  await using directory = await temporaryDirectory();
  const { path } = options(directory);
  const leaf = textOf("prime256v1.cert.pem");
  await Deno.writeTextFile(path, `# ours\n${leaf}${textOf("test-cert.pem")}`);
  const { pem } = await loadOrCreateServerCertificate(
    options(directory, { now: new Date("2025-01-01") }),
  );
  assert.equal(pem, leaf.slice(leaf.indexOf("-----BEGIN")));
});

Deno.test("loadOrCreateServerCertificate() tells how long a CA's certificate is good, and keeps it", async (t) => {
  await using directory = await temporaryDirectory();
  const { path } = options(directory);
  const { validToDate, validFromDate } = new X509Certificate(
    textOf("prime256v1.cert.pem"),
  );
  const from = (date: Date, ms: number): Date => new Date(date.getTime() + ms);
  const cases = [
    { want: "not yet valid", now: from(validFromDate, -1) },
    { want: "valid", now: validFromDate },
    { want: "valid", now: from(validToDate, -91 * DAY_MS) },
    { want: "expiring", now: from(validToDate, -90 * DAY_MS) },
    { want: "expiring", now: validToDate },
    { want: "expired", now: from(validToDate, 1) },
  ];
  await Deno.writeTextFile(path, textOf("prime256v1.cert.pem"));
  for (const { want, now } of cases) {
    await t.step(`${want} on ${now.toISOString()}`, async () => {
      const found = await loadOrCreateServerCertificate(
        options(directory, { now }),
      );
      assert.equal(found.status, want);
      assert.equal(found.origin, "read");
      assert.deepEqual(found.notAfter, validToDate);
    });
  }
});

Deno.test("loadOrCreateServerCertificate() renews an expired certificate of its own kind", async () => {
  await using directory = await temporaryDirectory();
  const { path } = options(directory);
  await Deno.writeTextFile(path, textOf("test-cert.pem"));
  const renewed = await loadOrCreateServerCertificate(
    options(directory, { key: RSA }),
  );
  assert.equal(renewed.origin, "renewed");
  assert.equal(renewed.status, "valid");
  assert.equal(await Deno.readTextFile(path), renewed.pem);
  assert.equal(new X509Certificate(renewed.pem).subject, `CN=${UUID}`);
});

Deno.test("loadOrCreateServerCertificate() keeps its certificate while the clock is before its time", async () => {
  await using directory = await temporaryDirectory();
  const made = await loadOrCreateServerCertificate(options(directory));
  const found = await loadOrCreateServerCertificate(
    options(directory, { now: new Date(0) }),
  );
  assert.equal(found.status, "not yet valid");
  assert.equal(found.pem, made.pem);
});

Deno.test("loadOrCreateServerCertificate() refuses a file it cannot use, and leaves it alone", async (t) => {
  await using directory = await temporaryDirectory();
  const { path } = options(directory);
  const cases = [
    {
      name: "another key's",
      text: textOf("test-cert.pem"),
      want: /is not a certificate of the key in server_key/,
    },
    {
      name: "a key",
      text: textOf("prime256v1.pem"),
      want: /holds no certificate in PEM form/,
    },
    { name: "empty", text: "", want: /holds no certificate in PEM form/ },
    {
      name: "cut",
      text: textOf("test-cert.pem").slice(0, 400),
      want: /holds no certificate in PEM form/,
    },
    {
      name: "no X.509",
      text: "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
      want: /holds no certificate in PEM form/,
    },
  ];
  for (const { name, text, want } of cases) {
    await t.step(name, async () => {
      await Deno.writeTextFile(path, text);
      await assert.rejects(
        loadOrCreateServerCertificate(options(directory)),
        (error: Error) => {
          assert.ok(error.message.startsWith(`server_cert "${path}" `));
          assert.match(error.message, want);
          return true;
        },
      );
      assert.equal(await Deno.readTextFile(path), text);
    });
  }
});

Deno.test("loadOrCreateServerCertificate() says which keys a certificate can be made for", async () => {
  await using directory = await temporaryDirectory();
  const key = generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey;
  await assert.rejects(
    loadOrCreateServerCertificate(options(directory, { key })),
    /No certificate can be made for a key of type ec secp256k1; set server_key to/,
  );
});
