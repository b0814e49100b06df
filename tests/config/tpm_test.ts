import assert from "node:assert/strict";
import { HASH_ALGS, KEY_TYPES, SCHEMES } from "../../config/algorithms.ts";
import { ConfigError } from "../../config/error.ts";
import { load } from "./loading.ts";

const ECDSA = 'tpm_signing_alg = "ecdsa"';

Deno.test("tpmConfig() gives each key type its canonical name", async (t) => {
  const rows: [name: string, options: string[], want: string][] = [
    ["rsa", [], "rsa2048"],
    ["rsa2048", [], "rsa2048"],
    ["ecc", [ECDSA], "ecc256"],
    ["ecc256", [ECDSA], "ecc256"],
    ["ecc_nist_p256", [ECDSA], "ecc256"],
  ];
  for (const [name, options, want] of rows) {
    await t.step(name, async () => {
      const config = await load(`tpm_encryption_alg = "${name}"`, ...options);
      assert.equal(config.tpm.encryptionAlg, want);
      assert.deepEqual(config.warnings, []);
    });
  }
});

Deno.test("tpmConfig() says why an algorithm is refused", async (t) => {
  const rows: [line: string, wanted: RegExp][] = [
    ['tpm_hash_alg = "md5"', /is "md5"; accepted: "sha1", "sha256", /],
    ['tpm_hash_alg = "SHA256"', /is "SHA256"; accepted: /],
    ['tpm_hash_alg = "sm3_256"', /"sm3_256", which can never work because v/],
    ['tpm_signing_alg = "rsapss"', /"rsapss", which can never work because/],
    ['tpm_signing_alg = "ecschnorr"', /"ecschnorr", which can never work bec/],
    ['tpm_signing_alg = "hmac"', /is "hmac"; accepted: "rsassa", "ecdsa"$/],
    ['tpm_encryption_alg = "rsa3072"', /"rsa3072", which is not built yet; a/],
    ['tpm_encryption_alg = "rsa4096"', /which is not built yet; /],
    ['tpm_encryption_alg = "ecc384"', /which is not built yet; /],
    ['tpm_encryption_alg = "ecc_nist_p521"', /which is not built yet; /],
    ['tpm_encryption_alg = "ecc_sm2"', /which can never work because verif/],
    ['tpm_encryption_alg = "rsa1024"', /which can never work because no end/],
    ['tpm_encryption_alg = "ecc192"', /which can never work because no end/],
    ['tpm_encryption_alg = "ecc_nist_p224"', /which can never work because/],
    [
      'tpm_encryption_alg = "dsa"',
      /accepted: "rsa2048", "rsa", "ecc256", "ecc", "ecc_nist_p256"$/,
    ],
  ];
  for (const [line, wanted] of rows) {
    await t.step(line, async () => {
      await assert.rejects(load(line), (error) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, wanted);
        return true;
      });
    });
  }
});

Deno.test("tpmConfig() refuses a scheme of the other key type", async () => {
  await assert.rejects(
    load('tpm_encryption_alg = "ecc"'),
    new RegExp(
      'Built-in default: option "tpm_signing_alg" is "rsassa", which does ' +
        'not work with option "tpm_encryption_alg" = "ecc" \\(Configuration ' +
        'file "/etc/keylime/agent.conf"\\); accepted: "ecdsa" with this key ' +
        "type$",
    ),
  );
  await assert.rejects(
    load('tpm_signing_alg = "ecdsa"'),
    /"tpm_signing_alg" is "ecdsa", .*"tpm_encryption_alg" = "rsa" \(Built-in/,
  );
});

Deno.test("tpmConfig() warns that verifiers refuse sha1", async () => {
  const { tpm, warnings } = await load('tpm_hash_alg = "sha1"');
  assert.equal(tpm.hashAlg, "sha1");
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /"tpm_hash_alg" is "sha1", which today's/);
});

Deno.test("tpmConfig() reads the endorsement key's handle", async (t) => {
  const rows: [value: string, want: unknown][] = [
    ["generate", { kind: "generate" }],
    ["", { kind: "generate" }],
    ["0x81010001", { kind: "persistent", handle: 0x8101_0001 }],
    ["810100FF", { kind: "persistent", handle: 0x8101_00ff }],
    ["0x81000000", { kind: "persistent", handle: 0x8100_0000 }],
    ["0x81ffffff", { kind: "persistent", handle: 0x81ff_ffff }],
    ["0x80ffffff", undefined],
    ["0x82000000", undefined],
    ["0x8101000100", undefined],
    ["81010001h", undefined],
    [" 0x81010001", undefined],
  ];
  for (const [value, want] of rows) {
    await t.step(JSON.stringify(value), async () => {
      const loaded = load(`ek_handle = "${value}"`);
      if (want === undefined) {
        await assert.rejects(loaded, /"ek_handle" .*0x81000000 to 0x81ffffff$/);
      } else assert.deepEqual((await loaded).tpm.ekHandle, want);
    });
  }
});

Deno.test("tpmConfig() reads the attestation key's handle, which is the owner's", async (t) => {
  const rows: [value: string, want: number | undefined | RegExp][] = [
    ["", undefined],
    ["0x81080001", 0x8108_0001],
    ["81080001", 0x8108_0001],
    ["0x81000000", 0x8100_0000],
    ["0x817FFFFF", 0x817f_ffff],
    ["0x81800000", /"ak_handle" is "0x81800000"; .*0x81000000 to 0x817fffff$/],
    ["0x80ffffff", /0x81000000 to 0x817fffff$/],
    ["generate", /"ak_handle" is "generate"; accepted: a hexadecimal handle/],
  ];
  for (const [value, want] of rows) {
    await t.step(JSON.stringify(value), async () => {
      const loaded = load(`ak_handle = "${value}"`);
      if (want instanceof RegExp) await assert.rejects(loaded, want);
      else assert.equal((await loaded).tpm.akHandle, want);
    });
  }
});

Deno.test("tpmConfig() decodes the owner password", async (t) => {
  const rows: [value: string, want: number[]][] = [
    ["", []],
    ["hex:", []],
    ["hex:00fF10", [0x00, 0xff, 0x10]],
    ["p\u00e4", [0x70, 0xc3, 0xa4]],
    [" a ", [0x20, 0x61, 0x20]],
  ];
  for (const [value, want] of rows) {
    await t.step(JSON.stringify(value), async () => {
      const { tpm } = await load(`tpm_ownerpassword = "${value}"`);
      assert.deepEqual([...tpm.ownerPassword], want);
    });
  }
});

Deno.test("tpmConfig() refuses a bad owner password without showing it", async () => {
  for (const value of ["hex:0", "hex:5ecrXt", "5ecret".repeat(11)]) {
    await assert.rejects(load(`tpm_ownerpassword = "${value}"`), (error) => {
      assert.match(String(error), /"tpm_ownerpassword" has an unusable value/);
      assert.doesNotMatch(Deno.inspect(error), /5ecr|hex:0/);
      return true;
    });
  }
});

Deno.test("the algorithm tables name each algorithm once", () => {
  for (const table of [HASH_ALGS, KEY_TYPES, SCHEMES]) {
    const names = table.flatMap(({ names }) => [...names]);
    assert.equal(new Set(names).size, names.length);
  }
});
