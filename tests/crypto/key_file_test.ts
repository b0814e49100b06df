import assert from "node:assert/strict";
import type { KeyObject } from "node:crypto";
import {
  loadOrCreatePayloadKey,
  loadOrCreateServerKey,
} from "../../crypto/key_file.ts";
import { spkiPem } from "../../crypto/spki.ts";
import { openssl } from "../support/openssl.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";

const KEYS = new URL("../fixtures/crypto/keys/", import.meta.url).pathname;
const RSA = `${KEYS}test-rsa.pem`;
const P256 = `${KEYS}prime256v1.pem`;
const PASSWORD = "pass phräse";

/** The public half of the key in `path` according to OpenSSL. */
function publicKeyOf(path: string, password = ""): Promise<string> {
  return openssl("pkey", "-in", path, "-passin", `pass:${password}`, "-pubout");
}

function detailsOf(key: KeyObject): unknown {
  return { type: key.asymmetricKeyType, ...key.asymmetricKeyDetails };
}

Deno.test("loadOrCreateServerKey() makes a private P-256 key that OpenSSL reads, once", async () => {
  await using directory = await temporaryDirectory();
  const location = { path: `${directory.path}/server.pem`, password: "" };
  const made = await loadOrCreateServerKey(location);
  assert.equal(made.origin, "generated");
  assert.deepEqual(detailsOf(made.key), {
    type: "ec",
    namedCurve: "prime256v1",
  });
  assert.equal((await Deno.stat(location.path)).mode, 0o100600);
  assert.match(
    await Deno.readTextFile(location.path),
    /^-----BEGIN PRIVATE KEY-----\n/,
  );
  assert.equal(await publicKeyOf(location.path), spkiPem(made.key));

  const read = await loadOrCreateServerKey(location);
  assert.equal(read.origin, "read");
  assert.equal(read.isExposed, false);
  assert.ok(read.key.equals(made.key));
});

Deno.test("loadOrCreateServerKey() encrypts a new key so that OpenSSL and it can read it", async () => {
  await using directory = await temporaryDirectory();
  const location = { path: `${directory.path}/server.pem`, password: PASSWORD };
  const { key } = await loadOrCreateServerKey(location);
  const pem = await Deno.readTextFile(location.path);
  assert.match(pem, /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
  const structure = await openssl("asn1parse", "-in", location.path);
  assert.match(structure, /:PBES2\n/);
  assert.match(structure, /:aes-256-cbc\n/);
  assert.equal(await publicKeyOf(location.path, PASSWORD), spkiPem(key));
  assert.ok((await loadOrCreateServerKey(location)).key.equals(key));
});

Deno.test("loadOrCreateServerKey() reads every PEM form that OpenSSL writes", async (t) => {
  await using directory = await temporaryDirectory();
  const secret = ["-passout", `pass:${PASSWORD}`];
  const pkcs8 = ["pkcs8", "-topk8", "-in", P256, ...secret];
  const cases = [
    { name: "PKCS#1", args: ["rsa", "-traditional", "-in", RSA] },
    {
      name: "PKCS#1, AES-128",
      args: ["rsa", "-traditional", "-in", RSA, "-aes128", ...secret],
    },
    {
      name: "PKCS#1, 3DES",
      args: ["rsa", "-traditional", "-in", RSA, "-des3", ...secret],
    },
    { name: "SEC 1", args: ["ec", "-in", P256] },
    { name: "SEC 1, AES-256", args: ["ec", "-in", P256, "-aes256", ...secret] },
    {
      name: "SEC 1 after its parameters",
      args: ["ecparam", "-name", "secp384r1", "-genkey"],
    },
    { name: "PKCS#8, Ed25519", args: ["genpkey", "-algorithm", "ed25519"] },
    { name: "PKCS#8, AES-256", args: [...pkcs8, "-v2", "aes-256-cbc"] },
    {
      name: "PKCS#8, AES-128, SHA-512",
      args: [...pkcs8, "-v2", "aes128", "-v2prf", "hmacWithSHA512"],
    },
    {
      name: "PKCS#8, AES-256, SHA-1",
      args: [...pkcs8, "-v2", "aes256", "-v2prf", "hmacWithSHA1"],
    },
    { name: "PKCS#8, 3DES", args: [...pkcs8, "-v2", "des3"] },
    { name: "PKCS#8, scrypt", args: [...pkcs8, "-scrypt"] },
  ];
  for (const { name, args } of cases) {
    await t.step(name, async () => {
      const path = `${directory.path}/key.pem`;
      await openssl(...args, "-out", path);
      const { key, origin } = await loadOrCreateServerKey({
        path,
        password: PASSWORD,
      });
      assert.equal(origin, "read");
      assert.equal(spkiPem(key), await publicKeyOf(path, PASSWORD));
    });
  }
});

Deno.test("loadOrCreateServerKey() tells that anybody may read the key", async () => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/server.pem`;
  await Deno.copyFile(P256, path);
  await Deno.chmod(path, 0o604);
  assert.ok((await loadOrCreateServerKey({ path, password: "" })).isExposed);
});

Deno.test("loadOrCreateServerKey() says what is wrong with a file, and leaves it alone", async (t) => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/server.pem`;
  const encrypt = ["pkcs8", "-topk8", "-in", P256, "-out", path, "-passout"];
  const plain = await Deno.readTextFile(P256);
  const cases = [
    {
      name: "wrong pass phrase",
      prepare: () => openssl(...encrypt, "pass:other"),
      want: /cannot be decrypted; check server_key_password/,
    },
    {
      name: "wrong pass phrase, HMAC-SHA-1",
      prepare: () =>
        openssl(...encrypt, "pass:other", "-v2prf", "hmacWithSHA1"),
      want: /cannot be decrypted; check server_key_password/,
    },
    {
      name: "encryption that is out of use",
      prepare: () =>
        openssl(...encrypt, `pass:${PASSWORD}`, "-v1", "PBE-SHA1-3DES"),
      want: /re-encrypt the key with openssl pkcs8 -topk8 -v2 aes-256-cbc$/,
    },
    {
      name: "no pass phrase",
      password: "",
      prepare: () => openssl(...encrypt, "pass:other"),
      want: /is encrypted; set server_key_password to its pass phrase$/,
    },
    {
      name: "empty file",
      prepare: () => Deno.writeTextFile(path, ""),
      want: /holds no private key in PEM form/,
    },
    {
      name: "certificate",
      prepare: () => Deno.copyFile(`${KEYS}test-cert.pem`, path),
      want: /holds no private key in PEM form/,
    },
    {
      name: "cut file",
      prepare: () => Deno.writeTextFile(path, plain.slice(0, 100)),
      want: /holds no private key in PEM form/,
    },
    {
      name: "damaged key",
      prepare: () => Deno.writeTextFile(path, plain.replace("MH", "AA")),
      want: /holds a damaged private key/,
    },
  ];
  for (const { name, password = PASSWORD, prepare, want } of cases) {
    await t.step(name, async () => {
      await prepare();
      const before = await Deno.readTextFile(path);
      await assert.rejects(
        loadOrCreateServerKey({ path, password }),
        (error: Error) => {
          assert.ok(error.message.startsWith(`server_key "${path}" `));
          assert.match(error.message, want);
          assert.ok(!error.message.includes(PASSWORD));
          return true;
        },
      );
      assert.equal(await Deno.readTextFile(path), before);
      await Deno.remove(path);
    });
  }
});

Deno.test("loadOrCreatePayloadKey() makes an RSA-2048 key that OpenSSL reads, once", async () => {
  await using directory = await temporaryDirectory();
  const location = {
    path: `${directory.path}/payload.pem`,
    password: PASSWORD,
  };
  const server = { path: P256, password: "" };
  const made = await loadOrCreatePayloadKey(location, server);
  assert.equal(made.origin, "generated");
  assert.deepEqual(detailsOf(made.key), {
    type: "rsa",
    modulusLength: 2048,
    publicExponent: 65537n,
  });
  assert.equal((await Deno.stat(location.path)).mode, 0o100600);
  assert.equal(await publicKeyOf(location.path, PASSWORD), spkiPem(made.key));
  const read = await loadOrCreatePayloadKey(location, server);
  assert.equal(read.origin, "read");
  assert.ok(read.key.equals(made.key));
});

Deno.test("loadOrCreatePayloadKey() takes over the one RSA key of an older agent", async () => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/payload.pem`;
  const server = { path: `${directory.path}/server.pem`, password: "old" };
  await openssl(
    "pkcs8",
    "-topk8",
    "-in",
    RSA,
    "-out",
    server.path,
    "-passout",
    "pass:old",
  );
  const copied = await loadOrCreatePayloadKey(
    { path, password: "new" },
    server,
  );
  assert.equal(copied.origin, "copied");
  assert.equal(spkiPem(copied.key), await publicKeyOf(RSA));
  assert.equal(await publicKeyOf(path, "new"), await publicKeyOf(RSA));
});

Deno.test("loadOrCreatePayloadKey() prefers its own file to the server key", async () => {
  await using directory = await temporaryDirectory();
  const location = { path: `${directory.path}/payload.pem`, password: "" };
  const { key } = await loadOrCreatePayloadKey(location, {
    path: P256,
    password: "",
  });
  const again = await loadOrCreatePayloadKey(location, {
    path: RSA,
    password: "",
  });
  assert.ok(again.key.equals(key));
});

Deno.test("loadOrCreatePayloadKey() refuses what is not RSA-2048", async (t) => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/payload.pem`;
  const cases = [
    { name: "ec", args: ["ec", "-in", P256] },
    { name: "rsa 3072", args: ["genrsa", "3072"] },
    { name: "rsa-pss 2048", args: ["genpkey", "-algorithm", "RSA-PSS"] },
  ];
  for (const { name, args } of cases) {
    await t.step(name, async () => {
      const [command = "", ...rest] = args;
      await openssl(command, "-out", path, ...rest);
      await assert.rejects(
        loadOrCreatePayloadKey({ path, password: "" }, { path, password: "" }),
        (error: Error) => {
          assert.ok(error.message.startsWith(
            `payload_key "${path}" must hold an RSA key of 2048 bits, not ${name};`,
          ));
          return true;
        },
      );
    });
  }
});
