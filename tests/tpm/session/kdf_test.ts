import assert from "node:assert/strict";
import { decode, encode } from "../../../tpm/codec/codec.ts";
import { u16 } from "../../../tpm/codec/scalars.ts";
import { kdfa, kdfe, labelBytes } from "../../../tpm/session/kdf.ts";
import { TPMI_ALG_HASH } from "../../../tpm/spec/algorithms.ts";
import { vectors } from "../vectors.ts";

interface Vector {
  readonly Name: string;
  readonly HashAlg: number;
  readonly Label: string;
  readonly ContextU: string;
  readonly ContextV: string;
  readonly Bits: number;
  readonly Result: string;
}

function inputOf(vector: Vector): Parameters<typeof kdfa>[1] {
  return {
    hash: decode(TPMI_ALG_HASH, encode(u16, vector.HashAlg)),
    label: vector.Label,
    contextU: Uint8Array.fromHex(vector.ContextU),
    contextV: Uint8Array.fromHex(vector.ContextV),
    bits: vector.Bits,
  };
}

Deno.test("kdfa() derives what a TPM does", () => {
  const all = vectors<Vector & { readonly Key: string }>("go-tpm-kdfa.json");
  assert.ok(all.length >= 60);
  for (const vector of all) {
    const key = kdfa(Uint8Array.fromHex(vector.Key), inputOf(vector));
    assert.equal(key.toHex(), vector.Result, vector.Name);
  }
});

Deno.test("kdfe() derives what a TPM does", () => {
  const all = vectors<Vector & { readonly Z: string }>("go-tpm-kdfe.json");
  assert.ok(all.length >= 60);
  for (const vector of all) {
    const key = kdfe(Uint8Array.fromHex(vector.Z), inputOf(vector));
    assert.equal(key.toHex(), vector.Result, vector.Name);
  }
});

Deno.test("labelBytes() ends with a zero", () => {
  assert.equal(labelBytes("ATH").toHex(), "41544800");
});
