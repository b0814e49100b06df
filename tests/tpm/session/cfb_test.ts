import assert from "node:assert/strict";
import fc from "fast-check";
import { decryptCfb, encryptCfb } from "../../../tpm/session/cfb.ts";
import { bytes } from "../arbitraries.ts";

const hex = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.fromHex(text);

/** NIST SP 800-38A, appendix F.3, CFB128. */
const IV = hex("000102030405060708090a0b0c0d0e0f");
const PLAIN = hex(
  "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51" +
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
);
const VECTORS = [
  {
    name: "AES-128",
    key: hex("2b7e151628aed2a6abf7158809cf4f3c"),
    cipher: hex(
      "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b" +
        "26751f67a3cbb140b1808cf187a4f4dfc04b05357c5d1c0eeac4c66f9ff7f2e6",
    ),
  },
  {
    name: "AES-192",
    key: hex("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
    cipher: hex(
      "cdc80d6fddf18cab34c25909c99a417467ce7f7f81173621961a2b70171d3d7a" +
        "2e1e8a1dd59b88b1c8e60fed1efac4c9c05f9f9ca9834fa042ae8fba584b09ff",
    ),
  },
  {
    name: "AES-256",
    key: hex(
      "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
    ),
    cipher: hex(
      "dc7e84bfda79164b7ecd8486985d386039ffed143b28b1c832113c6331e5407b" +
        "df10132415e54b92a13ed0a8267ae2f975a385741ab9cef82031623d55b1e471",
    ),
  },
];

Deno.test("encryptCfb() and decryptCfb() do as NIST says", async (t) => {
  for (const { name, key, cipher } of VECTORS) {
    await t.step(name, () => {
      const keys = { key, iv: IV };
      assert.equal(encryptCfb(keys, PLAIN).toHex(), cipher.toHex());
      assert.equal(decryptCfb(keys, cipher).toHex(), PLAIN.toHex());
    });
  }
});

Deno.test("the last block may be short", () => {
  for (const { key, cipher } of VECTORS) {
    for (const size of [0, 1, 15, 16, 17, 63]) {
      const part = encryptCfb({ key, iv: IV }, PLAIN.slice(0, size));
      assert.equal(part.toHex(), cipher.slice(0, size).toHex());
    }
  }
});

Deno.test("decryptCfb() undoes encryptCfb()", () => {
  const keys = { key: VECTORS[0]?.key ?? IV, iv: IV };
  fc.assert(fc.property(bytes(100), (plain) => {
    const again = decryptCfb(keys, encryptCfb(keys, plain));
    assert.equal(again.toHex(), plain.toHex());
  }));
});
