import assert from "node:assert/strict";
import type { Bytes } from "../../tpm/codec/buffer.ts";
import {
  digest,
  equalInConstantTime,
  hmac,
  publicKeyOf,
  randomBytes,
} from "../../tpm/crypto.ts";
import { DIGEST_SIZES, type TpmHash } from "../../tpm/spec/algorithms.ts";
import type { TpmtPublic } from "../../tpm/spec/public.ts";
import { ekTemplate } from "../../tpm/templates.ts";

const ABC = new TextEncoder().encode("abc");
const HASHES = Object.keys(DIGEST_SIZES) as TpmHash[];
const AVAILABLE = HASHES.filter((hash) => hash !== "sm3_256");

Deno.test("digest() is the hash that its name says", async (t) => {
  const known: { readonly [hash: string]: string } = {
    sha1: "a9993e364706816aba3e25717850c26c9cd0d89d",
    sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    sha3_256:
      "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
  };
  for (const [hash, want] of Object.entries(known)) {
    await t.step(hash, () => {
      assert.equal(digest(hash as TpmHash, ABC).toHex(), want);
    });
  }
});

Deno.test("digests and HMACs are as long as the TPM's, however they are fed", async (t) => {
  for (const hash of AVAILABLE) {
    await t.step(hash, () => {
      const parts = [ABC.subarray(0, 1), ABC.subarray(1)];
      assert.equal(digest(hash, ABC).length, DIGEST_SIZES[hash]);
      assert.deepEqual(digest(hash, ...parts), digest(hash, ABC));
      assert.equal(hmac(hash, ABC, ABC).length, DIGEST_SIZES[hash]);
      assert.deepEqual(hmac(hash, ABC, ...parts), hmac(hash, ABC, ABC));
    });
  }
});

Deno.test("digest() says that it does not have a hash", () => {
  assert.throws(
    () => digest("sm3_256", ABC),
    new RangeError('Hash "sm3_256" is not available on this platform'),
  );
});

Deno.test("equalInConstantTime() compares bytes and lengths", () => {
  assert.equal(equalInConstantTime(ABC, ABC.slice()), true);
  assert.equal(equalInConstantTime(ABC, ABC.subarray(1)), false);
  assert.equal(equalInConstantTime(ABC, Uint8Array.of(97, 98, 100)), false);
  assert.equal(equalInConstantTime(ABC.subarray(3), ABC.subarray(3)), true);
});

Deno.test("randomBytes() gives as many as asked for, new ones each time", () => {
  assert.equal(randomBytes(0).length, 0);
  assert.equal(randomBytes(33).length, 33);
  assert.notEqual(randomBytes(16).toHex(), randomBytes(16).toHex());
});

Deno.test("publicKeyOf() refuses an area without a possible key", async (t) => {
  const rsa = ekTemplate("rsa2048");
  const ecc = ekTemplate("ecc256");
  assert.equal(rsa.type, "rsa");
  assert.equal(ecc.type, "ecc");
  const coordinate = (size: number): Bytes => new Uint8Array(size).fill(1);
  const rows: readonly [string, TpmtPublic, RegExp][] = [
    [
      "a point beside the curve",
      { ...ecc, unique: { x: coordinate(32), y: coordinate(32) } },
      /The ecc public area holds no valid key/,
    ],
    [
      "a coordinate that is too long",
      { ...ecc, unique: { x: coordinate(33), y: coordinate(32) } },
      /A coordinate of 33 bytes, not 32/,
    ],
    [
      "another curve",
      { ...ecc, parameters: { ...ecc.parameters, curveID: "bn_p256" } },
      /Curve "bn_p256" is not supported/,
    ],
    [
      "no modulus",
      { ...rsa, unique: new Uint8Array(0) },
      /The rsa public area holds no valid key/,
    ],
    [
      "no key",
      {
        type: "keyedhash",
        nameAlg: "sha256",
        objectAttributes: {},
        authPolicy: new Uint8Array(0),
        parameters: { scheme: { scheme: "null" } },
        unique: new Uint8Array(0),
      },
      /A keyedhash object has no public key/,
    ],
  ];
  for (const [name, area, message] of rows) {
    await t.step(name, () => {
      assert.throws(() => publicKeyOf(area), (error) => {
        assert.ok(error instanceof RangeError, String(error));
        assert.match(error.message, message);
        return true;
      });
    });
  }
});
