import assert from "node:assert/strict";
import { decode } from "../../../tpm/codec/codec.ts";
import { shareSecret } from "../../../tpm/session/salt.ts";
import {
  TPMT_PUBLIC,
  TPMT_SENSITIVE,
  type TpmtPublic,
} from "../../../tpm/spec/public.ts";
import { openSecret, type PrivatePart, privatePart } from "../software_tpm.ts";
import { vectors } from "../vectors.ts";

interface Vector {
  readonly Name: string;
  readonly Label: string;
  readonly PublicKey: string;
  readonly PrivateKey: string;
  readonly Secret: string;
  readonly Ciphertext: string;
}

function keyOf(
  vector: Vector,
): { readonly area: TpmtPublic; readonly own: PrivatePart } {
  const area = decode(TPMT_PUBLIC, Uint8Array.fromHex(vector.PublicKey));
  const sensitive = decode(
    TPMT_SENSITIVE,
    Uint8Array.fromHex(vector.PrivateKey),
  );
  return { area, own: privatePart(area, sensitive) };
}

const FILES = [
  "go-tpm-rsa_labeled_encaps.json",
  "go-tpm-ecc_labeled_encaps.json",
];

Deno.test("shared secrets that TPMs opened are opened", async (t) => {
  for (const file of FILES) {
    await t.step(file, () => {
      const all = vectors<Vector>(file);
      assert.ok(all.length >= 60);
      for (const vector of all) {
        const { area, own } = keyOf(vector);
        const secret = openSecret(area, own, {
          label: vector.Label,
          encrypted: Uint8Array.fromHex(vector.Ciphertext),
        });
        assert.equal(secret.toHex(), vector.Secret, vector.Name);
      }
    });
  }
});

Deno.test("shareSecret() makes secrets that the key's holder opens", async (t) => {
  for (const file of FILES) {
    await t.step(file, () => {
      for (const vector of vectors<Vector>(file)) {
        const { area, own } = keyOf(vector);
        const { secret, encrypted } = shareSecret(area, vector.Label);
        const opened = openSecret(area, own, {
          label: vector.Label,
          encrypted,
        });
        assert.equal(opened.toHex(), secret.toHex(), vector.Name);
      }
    });
  }
});

Deno.test("shareSecret() makes a new secret each time", () => {
  for (const file of FILES) {
    const [vector] = vectors<Vector>(file);
    assert.ok(vector);
    const { area } = keyOf(vector);
    const first = shareSecret(area, "SECRET");
    const second = shareSecret(area, "SECRET");
    assert.notEqual(first.secret.toHex(), second.secret.toHex());
  }
});

Deno.test("shareSecret() needs a key with a nameAlg", () => {
  const [vector] = vectors<Vector>("go-tpm-ecc_labeled_encaps.json");
  assert.ok(vector);
  const area = { ...keyOf(vector).area, nameAlg: "null" } as const;
  assert.throws(
    () => shareSecret(area, "SECRET"),
    new RangeError("A key without a nameAlg can share no secret"),
  );
});
