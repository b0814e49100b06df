import assert from "node:assert/strict";
import { createCipheriv } from "node:crypto";
import fc from "fast-check";
import { decryptPayload } from "../../payload/decrypt.ts";
import { Secret } from "../../payload/secret.ts";

interface Vector {
  readonly key: string;
  readonly plaintext: string;
  readonly blob_hex: string;
}

const VECTORS: { readonly aes_gcm_iv16: readonly Vector[] } = JSON.parse(
  await Deno.readTextFile(
    new URL("../fixtures/payload/crypto-vectors.json", import.meta.url),
  ),
);

function secret(text: string): Secret {
  return new Secret(new TextEncoder().encode(text));
}

Deno.test("decryptPayload() opens the vectors of rust-keylime", async (t) => {
  assert.equal(VECTORS.aes_gcm_iv16.length, 2);
  for (const { key, plaintext, blob_hex } of VECTORS.aes_gcm_iv16) {
    await t.step(`a key of ${key.length} bytes`, async () => {
      const plain = await decryptPayload(
        Uint8Array.fromHex(blob_hex),
        secret(key),
      );
      assert.equal(new TextDecoder().decode(plain), plaintext);
    });
  }
});

Deno.test("decryptPayload() opens the contract's vector", async () => {
  const plain = await decryptPayload(
    Uint8Array.fromBase64(
      "AAECAwQFBgcICQoLDA0ODw8JzBpWxCFN5JOyRDC72kt9dIQXHoYcUCAnOUdS",
    ),
    new Secret(Uint8Array.from({ length: 32 }, (_, at) => at)),
  );
  assert.equal(new TextDecoder().decode(plain), "hello keylime");
});

Deno.test("decryptPayload() opens what Python's tenant makes, up to 1 MiB", async () => {
  const size = fc.constantFrom(0, 1, 15, 16, 17, 4096, 1_048_576);
  await fc.assert(
    fc.asyncProperty(size, fc.constantFrom(16, 32), async (length, keySize) => {
      const [key, iv, plain] = [keySize, 16, 0].map((each) =>
        crypto.getRandomValues(new Uint8Array(each))
      ).with(2, new Uint8Array(length).fill(7));
      assert.ok(key && iv && plain);
      const cipher = keySize === 16
        ? createCipheriv("aes-128-gcm", key, iv)
        : createCipheriv("aes-256-gcm", key, iv);
      const body = cipher.update(plain);
      cipher.final();
      const sealed = new Uint8Array([...iv, ...body, ...cipher.getAuthTag()]);
      assert.deepEqual(await decryptPayload(sealed, new Secret(key)), plain);
    }),
    { numRuns: 15 },
  );
});

Deno.test("decryptPayload() refuses every altered byte and every strict prefix", async () => {
  const [vector] = VECTORS.aes_gcm_iv16;
  assert.ok(vector !== undefined);
  const sealed = Uint8Array.fromHex(vector.blob_hex);
  const refusal = { name: "PayloadError", problem: "decryption" };
  for (let at = 0; at < sealed.length; at++) {
    const altered = sealed.slice();
    altered[at] = (altered[at] ?? 0) ^ 1;
    await assert.rejects(decryptPayload(altered, secret(vector.key)), refusal);
    await assert.rejects(
      decryptPayload(sealed.slice(0, at), secret(vector.key)),
      refusal,
    );
  }
});
