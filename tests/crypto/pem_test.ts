import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeCertificates, decodePem, encodePem } from "../../crypto/pem.ts";

const FIXTURES = new URL("../fixtures/crypto/", import.meta.url);

function text(name: string): string {
  return Deno.readTextFileSync(new URL(name, FIXTURES));
}

Deno.test("encodePem() writes a certificate as OpenSSL does", () => {
  const der = Deno.readFileSync(
    new URL("ekcerts/lab-a-rsa2048.der", FIXTURES),
  );
  assert.equal(
    encodePem("CERTIFICATE", der),
    text("ekcerts/lab-a-rsa2048.pem"),
  );
});

Deno.test("decodePem() undoes encodePem()", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (der) => {
    const pem = encodePem("X Y", der);
    assert.deepEqual(decodePem(pem), [
      { label: "X Y", text: pem, der, isEncrypted: false },
    ]);
  }));
});

Deno.test("decodeCertificates() skips text, CRLF, keys and foreign blocks", () => {
  const key = encodePem("PRIVATE KEY", Uint8Array.of(1));
  const der = Deno.readFileSync(
    new URL("ekcerts/lab-a-rsa2048.der", FIXTURES),
  );
  assert.deepEqual(
    decodeCertificates(
      key + text("ekcerts/lab-a-rsa2048-crlf.pem") + "\n# two\n" +
        encodePem("X509 CERTIFICATE", Uint8Array.of(5)),
    ),
    [der, Uint8Array.of(5)],
  );
});

Deno.test("decodeCertificates() finds none in a text without PEM", () => {
  assert.deepEqual(decodeCertificates("no certificate here\n"), []);
});

Deno.test("decodePem() reads the headers of an encrypted older key", () => {
  const pem = [
    "-----BEGIN RSA PRIVATE KEY-----",
    "Proc-Type: 4,ENCRYPTED",
    "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF",
    "",
    "AQID",
    "-----END RSA PRIVATE KEY-----",
    "",
  ].join("\n");
  assert.deepEqual(decodePem(pem), [{
    label: "RSA PRIVATE KEY",
    text: pem,
    der: Uint8Array.of(1, 2, 3),
    isEncrypted: true,
  }]);
});

Deno.test("decodePem() refuses damaged blocks", async (t) => {
  const cases = [
    { name: "no end", input: "-----BEGIN A-----\nAQID\n" },
    { name: "other end", input: "-----BEGIN A-----\nAQID\n-----END B-----" },
    { name: "no base64", input: "-----BEGIN A-----\nA*ID\n-----END A-----" },
    { name: "cut base64", input: "-----BEGIN A-----\nAQI\n-----END A-----" },
    { name: "headers only", input: "-----BEGIN A-----\nB: c\n-----END A-----" },
  ];
  for (const { name, input } of cases) {
    await t.step(name, () => {
      assert.throws(() => decodePem(input), SyntaxError);
    });
  }
});
