import assert from "node:assert/strict";
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  X509Certificate,
} from "node:crypto";
import {
  type Curve,
  ecSpkiPem,
  ekHash,
  rsaSpkiPem,
  spkiPem,
} from "../../crypto/spki.ts";

const FIXTURES = new URL("../fixtures/crypto/", import.meta.url);

function ekOf(name: string): KeyObject {
  const url = new URL(`ekcerts/${name}.der`, FIXTURES);
  return new X509Certificate(Deno.readFileSync(url)).publicKey;
}

function number(text: string | undefined): Uint8Array {
  return Uint8Array.fromBase64(text ?? "", { alphabet: "base64url" });
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

Deno.test("ekHash() of rsaSpkiPem() is what OpenSSL's output hashes to", () => {
  const { n, e } = ekOf("lab-a-rsa2048").export({ format: "jwk" });
  assert.equal(e, "AQAB");
  const pem = rsaSpkiPem(number(n), 65537);
  assert.equal(ekHash(pem), EK_HASHES["lab-a-rsa2048"]);
});

Deno.test("rsaSpkiPem() ignores leading zero bytes of the modulus", () => {
  const { n } = ekOf("lab-a-rsa2048").export({ format: "jwk" });
  assert.equal(
    rsaSpkiPem(Uint8Array.of(0, ...number(n)), 65537),
    rsaSpkiPem(number(n), 65537),
  );
});

Deno.test("ekHash() of ecSpkiPem() is what OpenSSL's output hashes to", async (t) => {
  for (
    const [name, curve] of [["lab-a-ecc256", "P-256"], [
      "lab-a-ecc384",
      "P-384",
    ]] as const
  ) {
    await t.step(curve, () => {
      const { x, y } = ekOf(name).export({ format: "jwk" });
      const pem = ecSpkiPem(curve, { x: number(x), y: number(y) });
      assert.equal(ekHash(pem), EK_HASHES[name]);
    });
  }
});

Deno.test("ecSpkiPem() takes coordinates without their leading zero bytes", async (t) => {
  // Multiples of the generator; x of each begins with a zero byte.
  const cases: { curve: Curve; x: string; y: string }[] = [
    {
      curve: "P-256",
      x: "005543894af3d00ed7d740abdbd75c96b06877b787db5f70eea78b90a8d7c00a",
      y: "bb4c85a3d8ea29efaafa24406912dd84d5b14dc32bf656ef6c6bd58a5d943f92",
    },
    {
      curve: "P-521",
      x: "00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d" +
        "3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5" +
        "bd66",
      y: "011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e" +
        "662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd1" +
        "6650",
    },
  ];
  for (const { curve, x, y } of cases) {
    await t.step(curve, () => {
      const full = { x: Uint8Array.fromHex(x), y: Uint8Array.fromHex(y) };
      assert.equal(full.x[0], 0);
      const short = { ...full, x: full.x.subarray(1) };
      const pem = ecSpkiPem(curve, full);
      assert.equal(ecSpkiPem(curve, short), pem);
      const jwk = createPublicKey(pem).export({ format: "jwk" });
      assert.deepEqual(number(jwk.x), full.x);
    });
  }
});

Deno.test("ecSpkiPem() refuses a point that is not on the curve", () => {
  const one = Uint8Array.of(1);
  assert.throws(
    () => ecSpkiPem("P-256", { x: one, y: one }),
    /^Error: The public key is no point of curve P-256$/,
  );
});

Deno.test("spkiPem() gives the public half of a private key", () => {
  const pem = Deno.readTextFileSync(new URL("keys/prime256v1.pem", FIXTURES));
  const certificate = new X509Certificate(
    Deno.readTextFileSync(new URL("keys/prime256v1.cert.pem", FIXTURES)),
  );
  assert.equal(spkiPem(createPrivateKey(pem)), spkiPem(certificate.publicKey));
});
