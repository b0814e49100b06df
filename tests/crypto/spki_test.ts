import assert from "node:assert/strict";
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { ekHash, spkiPem } from "../../crypto/spki.ts";

const FIXTURES = new URL("../fixtures/crypto/", import.meta.url);

function ekOf(name: string): KeyObject {
  const url = new URL(`ekcerts/${name}.der`, FIXTURES);
  return new X509Certificate(Deno.readFileSync(url)).publicKey;
}

/** `openssl x509 -inform der -pubkey -noout | sha256sum` of the fixtures. */
const EK_HASHES = {
  "lab-a-rsa2048":
    "98f3298ce44d55446f4b106a85a249209f5219ee79535512e7f8d4e1b08f381b",
  "lab-a-ecc256":
    "efe7218d4449078fc94995b4ff7ab7f28c78d4847f7edfcc2a46640ea0d20a49",
  "lab-a-ecc384":
    "f21b3d77dc4a5a292e8fc843cb0e45b9242dfec284fc3654ddad7f574faea933",
} as const;

Deno.test("ekHash() of spkiPem() is what OpenSSL's output hashes to", () => {
  for (const [name, hash] of Object.entries(EK_HASHES)) {
    assert.equal(ekHash(spkiPem(ekOf(name))), hash, name);
  }
});

Deno.test("spkiPem() gives the public half of a private key", () => {
  const pem = Deno.readTextFileSync(new URL("keys/prime256v1.pem", FIXTURES));
  const certificate = new X509Certificate(
    Deno.readTextFileSync(new URL("keys/prime256v1.cert.pem", FIXTURES)),
  );
  assert.equal(spkiPem(createPrivateKey(pem)), spkiPem(certificate.publicKey));
});
