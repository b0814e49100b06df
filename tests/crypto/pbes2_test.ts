import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { decryptPbes2 } from "../../crypto/pbes2.ts";
import { decodePem } from "../../crypto/pem.ts";
import { openssl } from "../support/openssl.ts";

const KEY = new URL("../fixtures/crypto/keys/prime256v1.pem", import.meta.url);

/** The fixture's key, encrypted by OpenSSL with the pass phrase "secret". */
async function encrypted(...how: string[]): Promise<Uint8Array> {
  const pem = await openssl(
    ...["pkcs8", "-topk8", "-in", KEY.pathname, "-passout", "pass:secret"],
    ...how,
  );
  const [block] = decodePem(pem);
  assert.ok(block);
  return block.der;
}

/** The fixture's key as PKCS#8, which is what was encrypted. */
function plain(): Uint8Array {
  return createPrivateKey(Deno.readTextFileSync(KEY))
    .export({ type: "pkcs8", format: "der" });
}

Deno.test("decryptPbes2() undoes OpenSSL's encryption", async (t) => {
  for (const cipher of ["aes-128-cbc", "aes-256-cbc", "des3"]) {
    for (const hash of ["SHA1", "SHA256", "SHA384", "SHA512"]) {
      await t.step(`${cipher}, ${hash}`, async () => {
        const der = await encrypted("-v2", cipher, "-v2prf", `hmacWith${hash}`);
        const found = decryptPbes2(der, "secret");
        assert.deepEqual([...found], [...plain()]);
      });
    }
  }
});

Deno.test("decryptPbes2() names an algorithm that it does not know", async (t) => {
  const cases = [
    {
      name: "PBES1",
      how: ["-v1", "PBE-SHA1-3DES"],
      id: "1.2.840.113549.1.12.1.3",
    },
    { name: "scrypt", how: ["-scrypt"], id: "1.3.6.1.4.1.11591.4.11" },
    {
      name: "AES-192",
      how: ["-v2", "aes-192-cbc"],
      id: "2.16.840.1.101.3.4.1.22",
    },
    {
      name: "HMAC-SHA-224",
      how: ["-v2prf", "hmacWithSHA224"],
      id: "1.2.840.113549.2.8",
    },
  ];
  for (const { name, how, id } of cases) {
    await t.step(name, async () => {
      const der = await encrypted(...how);
      assert.throws(() => decryptPbes2(der, "secret"), {
        message: `Unsupported encryption algorithm ${id}`,
      });
    });
  }
});

Deno.test("decryptPbes2() refuses what is no encrypted key", async (t) => {
  const whole = await encrypted();
  const cases = [
    { name: "nothing", der: new Uint8Array() },
    { name: "cut short", der: whole.subarray(0, 60) },
    { name: "a plain key", der: plain() },
    { name: "an empty SEQUENCE", der: Uint8Array.of(0x30, 0) },
  ];
  for (const { name, der } of cases) {
    await t.step(name, () => {
      assert.throws(() => decryptPbes2(der, "secret"), SyntaxError);
    });
  }
});
