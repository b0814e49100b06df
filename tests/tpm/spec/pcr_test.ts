import assert from "node:assert/strict";
import fc from "fast-check";
import { CodecError } from "../../../tpm/codec/error.ts";
import {
  PCR_COUNT,
  pcrSelection,
  selectedPcrs,
} from "../../../tpm/spec/pcr.ts";
import { hash } from "../arbitraries.ts";

Deno.test("pcrSelection() sets bit n of byte n / 8", () => {
  const [bank] = pcrSelection("sha256", [0, 7, 8, 10, 23]);
  assert.equal(bank?.hash, "sha256");
  assert.equal(bank?.pcrSelect.toHex(), "810580");
});

Deno.test("pcrSelection() always has three bytes", () => {
  const [bank] = pcrSelection("sha1", []);
  assert.equal(bank?.pcrSelect.toHex(), "000000");
});

Deno.test("pcrSelection() refuses registers that do not exist", async (t) => {
  for (const index of [24, -1, NaN, Infinity, 0.5]) {
    await t.step(String(index), () => {
      assert.throws(() => pcrSelection("sha256", [index]), CodecError);
    });
  }
});

Deno.test("selectedPcrs() undoes pcrSelection()", () => {
  const indices = fc.uniqueArray(fc.nat(PCR_COUNT - 1));
  fc.assert(fc.property(hash, indices, (bank, chosen) => {
    const ascending = chosen.toSorted((a, b) => a - b);
    assert.deepEqual(selectedPcrs(pcrSelection(bank, chosen), bank), ascending);
  }));
});

Deno.test("selectedPcrs() joins what it finds of one bank only", () => {
  const selection = [
    ...pcrSelection("sha256", [3]),
    ...pcrSelection("sha1", [4]),
    ...pcrSelection("sha256", [1, 3]),
  ];
  assert.deepEqual(selectedPcrs(selection, "sha256"), [1, 3]);
  assert.deepEqual(selectedPcrs(selection, "sha384"), []);
});
