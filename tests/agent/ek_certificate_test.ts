import assert from "node:assert/strict";
import { readEkCertificates } from "../../agent/ek_certificate.ts";
import { encodePem } from "../../crypto/pem.ts";
import { recordingLog } from "../api/support/attester.ts";
import { BareTpm } from "./support/bare_tpm.ts";
import { defineNv } from "./support/nv.ts";

const CERTIFICATES = new URL("../fixtures/crypto/ekcerts/", import.meta.url);
const RSA = await Deno.readFile(new URL("lab-a-rsa2048.der", CERTIFICATES));
const ECC = await Deno.readFile(new URL("lab-a-ecc256.der", CERTIFICATES));
const INTEL = await Deno.readFile(new URL("intel-ptt.der", CERTIFICATES));

const RSA_INDEX = 0x01c0_0002;
const ECC_INDEX = 0x01c0_000a;
const CHAIN = 0x01c0_0100;

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function pem(...certificates: readonly Uint8Array[]): string {
  return certificates.map((der) => encodePem("CERTIFICATE", der)).join("");
}

/** What is read from a new TPM with `indices`, and what is said about it. */
async function read(
  indices: readonly Parameters<typeof defineNv>[1][],
  { keyType = "rsa2048" as const, ...nv }: {
    readonly keyType?: "rsa2048" | "ecc256";
    readonly attributes?: string;
    readonly size?: number;
  } = {},
): Promise<{ found: string | undefined; lines: readonly string[] }> {
  await using lab = await BareTpm.make();
  for (const one of indices) await defineNv(lab, one, nv);
  const { log, lines } = recordingLog();
  const options = { keyType, nvBufferMax: 512, log };
  return { found: await readEkCertificates(lab.tpm, options), lines };
}

Deno.test("readEkCertificates() gives the certificate of the key's type", async (t) => {
  const both = [[RSA_INDEX, RSA], [ECC_INDEX, ECC]] as const;
  for (const [keyType, want] of [["rsa2048", RSA], ["ecc256", ECC]] as const) {
    await t.step(keyType, async () => {
      const { found, lines } = await read(both, { keyType });
      assert.equal(found, pem(want));
      assert.deepEqual(lines, []);
    });
  }
});

Deno.test("readEkCertificates() cuts the padding off", async (t) => {
  for (const filler of [0x00, 0xff]) {
    await t.step(`0x${filler.toString(16)}`, async () => {
      const padded = new Uint8Array(1800).fill(filler);
      padded.set(RSA);
      const { found } = await read([[RSA_INDEX, padded]]);
      assert.equal(found, pem(RSA));
    });
  }
  await t.step("an index larger than what was written", async () => {
    const { found } = await read([[RSA_INDEX, RSA]], { size: 2048 });
    assert.equal(found, pem(RSA));
  });
});

Deno.test("readEkCertificates() tells that there is none, and that it is no error", async (t) => {
  const rows = [
    { name: "no index", indices: [] },
    { name: "an unwritten index", indices: [[RSA_INDEX, undefined]] as const },
    { name: "only another type's", indices: [[ECC_INDEX, ECC]] as const },
    { name: "only a chain", indices: [[CHAIN, INTEL]] as const },
  ];
  for (const { name, indices } of rows) {
    await t.step(name, async () => {
      const { found, lines } = await read(indices);
      assert.equal(found, undefined);
      assert.equal(lines.length, 1);
      assert.match(
        lines[0] ?? "",
        /^info The TPM holds no EK certificate in NV index 0x01c00002.*require_ek_cert/,
      );
    });
  }
});

Deno.test("readEkCertificates() leaves out what is no certificate, and says so", async (t) => {
  const rows = [
    { name: "ones", contents: new Uint8Array(64).fill(0xff) },
    { name: "zeros", contents: new Uint8Array(64) },
    { name: "cut off", contents: RSA.subarray(0, 300) },
    {
      name: "behind a TCG header",
      contents: joined(Uint8Array.of(0x10, 0x01, 0x00, 0x03, 0x30), RSA),
    },
  ];
  for (const { name, contents } of rows) {
    await t.step(name, async () => {
      const { found, lines } = await read([[RSA_INDEX, contents]]);
      assert.equal(found, undefined);
      assert.deepEqual(lines, [
        `warn NV index 0x01c00002 holds ${contents.length} bytes that are no ` +
        "DER certificate; the agent registers without an EK certificate",
      ]);
    });
  }
});

Deno.test("readEkCertificates() goes on without one that it may not read", async () => {
  const attributes = "ownerwrite|ownerread|no_da";
  const { found, lines } = await read([[RSA_INDEX, RSA]], { attributes });
  assert.equal(found, undefined);
  assert.match(
    lines.join("\n"),
    /^warn The EK certificate in NV index 0x01c00002 cannot be read \(TPM2_NV_Read .*\); the agent registers without it$/,
  );
});

Deno.test("readEkCertificates() gives the chain after it, last index first", async (t) => {
  const ek = [RSA_INDEX, RSA] as const;
  const filler = new Uint8Array(40).fill(0xff);
  const rows = [
    {
      name: "one index each",
      indices: [ek, [CHAIN, INTEL], [CHAIN + 1, ECC]],
      want: [RSA, ECC, INTEL],
    },
    {
      name: "two in one index",
      indices: [ek, [CHAIN, joined(INTEL, ECC)]],
      want: [RSA, ECC, INTEL],
    },
    {
      name: "one in two indices",
      indices: [
        ek,
        [CHAIN, INTEL.subarray(0, 333)],
        [CHAIN + 1, INTEL.subarray(333)],
      ],
      want: [RSA, INTEL],
    },
    {
      name: "padded at the end",
      indices: [ek, [CHAIN, joined(INTEL, filler)]],
      want: [RSA, INTEL],
    },
    {
      name: "last index of the range, and one beyond it",
      indices: [ek, [0x01c0_01ff, INTEL], [0x01c0_0200, ECC]],
      want: [RSA, INTEL],
    },
    { name: "no certificate", indices: [ek, [CHAIN, filler]], want: [RSA] },
  ] as const;
  for (const { name, indices, want } of rows) {
    await t.step(name, async () => {
      const { found, lines } = await read(indices);
      assert.equal(found, pem(...want));
      assert.deepEqual(lines, []);
    });
  }
});

Deno.test("readEkCertificates() drops a chain that it cannot read, not the certificate", async (t) => {
  await t.step("an index that is not readable", async () => {
    await using lab = await BareTpm.make();
    await defineNv(lab, [RSA_INDEX, RSA]);
    await defineNv(lab, [CHAIN, INTEL], {
      attributes: "ownerwrite|ownerread|no_da",
    });
    const { log, lines } = recordingLog();
    const options = { keyType: "rsa2048", nvBufferMax: 512, log } as const;
    assert.equal(await readEkCertificates(lab.tpm, options), pem(RSA));
    assert.match(lines.join("\n"), /^warn The EK certificate chain .* without/);
  });
  await t.step("more certificates than any chain has", async () => {
    const many = Uint8Array.from(
      { length: 2 * 65 },
      (_, at) => at % 2 ? 0 : 0x30,
    );
    const { found, lines } = await read([[RSA_INDEX, RSA], [CHAIN, many]]);
    assert.equal(found, pem(RSA));
    assert.match(lines.join("\n"), /^warn .*More than 64 certificates/);
  });
});
