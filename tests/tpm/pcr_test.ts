import assert from "node:assert/strict";
import { Tpm } from "../../tpm/client.ts";
import type { Bytes } from "../../tpm/codec/buffer.ts";
import { encode } from "../../tpm/codec/codec.ts";
import { encodeResponse } from "../../tpm/commands/frame.ts";
import { PcrRead } from "../../tpm/commands/integrity.ts";
import { digest } from "../../tpm/crypto.ts";
import { TpmError } from "../../tpm/error.ts";
import {
  extendedFromReset,
  extendPcr,
  PcrBankError,
  readPcrs,
  resetPcr,
} from "../../tpm/pcr.ts";
import { type TpmHash } from "../../tpm/spec/algorithms.ts";
import { pcrSelection } from "../../tpm/spec/pcr.ts";
import { connectSwtpm } from "../../tpm/transport/swtpm.ts";
import { EkCa } from "../lab/ek_ca.ts";
import { manufacture, Swtpm } from "../lab/swtpm.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";
import { type ScriptedTpm, scriptedTpm } from "./scripted_tpm.ts";
import { blankTpm } from "./swtpm.ts";

const ALL = Array.from({ length: 24 }, (_, index) => index);
const DATA = new TextEncoder().encode("an event");

Deno.test("readPcrs() reads all 24 registers, in ascending order", async () => {
  await using lab = await blankTpm();
  const values = await readPcrs(lab.tpm, "sha256", ALL.toReversed());
  assert.deepEqual([...values.keys()], ALL);
  // PCR Client Platform Profile: 17 to 22 start with ones.
  const ones = ALL.filter((index) =>
    values.get(index)?.every((b) => b === 255)
  );
  assert.deepEqual(ones, [17, 18, 19, 20, 21, 22]);
});

Deno.test("readPcrs() reads nothing of no registers", async () => {
  const transport = scriptedTpm(() => assert.fail("it asked the TPM"));
  await using tpm = new Tpm(transport);
  assert.equal((await readPcrs(tpm, "sha256", [])).size, 0);
});

Deno.test("extendPcr() and resetPcr() change every bank that they name", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  const banks: readonly TpmHash[] = ["sha1", "sha256", "sha384", "sha512"];
  const digests = banks.map((hashAlg) => ({
    hashAlg,
    digest: digest(hashAlg, DATA),
  }));
  await extendPcr(tpm, 16, digests);
  for (const bank of digests) {
    const values = await readPcrs(tpm, bank.hashAlg, [16]);
    assert.deepEqual(
      values.get(16),
      extendedFromReset(bank.hashAlg, bank.digest),
    );
  }
  await resetPcr(tpm, 16);
  for (const hash of banks) {
    const values = await readPcrs(tpm, hash, [16]);
    assert.ok(values.get(16)?.every((byte) => byte === 0));
  }
});

Deno.test("resetPcr() fails for a register that only the platform resets", async () => {
  await using lab = await blankTpm();
  await assert.rejects(resetPcr(lab.tpm, 0), (error) => {
    assert.ok(error instanceof TpmError);
    assert.equal(
      error.message,
      "TPM2_PCR_Reset on 0x00000000 failed: TPM_RC_LOCALITY (0x907)",
    );
    return true;
  });
});

Deno.test("readPcrs() says that a bank is not allocated", async () => {
  await using directory = await temporaryDirectory();
  const ca = await EkCa.create(`${directory.path}/ca`, { key: "p256" });
  const stateDirectory = `${directory.path}/tpm`;
  await manufacture(stateDirectory, { ca, banks: ["sha256"] });
  await using swtpm = await Swtpm.start({ stateDirectory });
  await using tpm = new Tpm(await connectSwtpm(swtpm.address));
  assert.equal((await readPcrs(tpm, "sha256", ALL)).size, 24);
  await assert.rejects(
    readPcrs(tpm, "sha384", [10, 3]),
    new PcrBankError(
      "The TPM gives no sha384 value of PCR 3, 10: is the sha384 PCR bank " +
        "allocated?",
    ),
  );
});

Deno.test("readPcrs() passes on that the TPM does not know the hash", async () => {
  await using lab = await blankTpm();
  await assert.rejects(
    readPcrs(lab.tpm, "sm3_256", [1]),
    /^TpmError: TPM2_PCR_Read failed: TPM_RC_HASH \(0x1c3\) for parameter 1 \(pcrSelectionIn\)$/,
  );
});

/** A TPM that answers TPM2_PCR_Read with these registers of a bank. */
function pcrTpm(
  hash: TpmHash,
  values: ReadonlyMap<number, Bytes>,
): ScriptedTpm {
  const parameters = encode(PcrRead.response, {
    pcrUpdateCounter: 1,
    pcrSelectionOut: pcrSelection(hash, values.keys()),
    pcrValues: [...values.values()],
  });
  return scriptedTpm((_, index) => {
    if (index > 10) throw new Error("It asks for ever");
    return encodeResponse({
      responseCode: 0,
      handle: undefined,
      parameters,
      authorizations: [],
    });
  });
}

const VALUE: Bytes = new Uint8Array(32).fill(1);

Deno.test("readPcrs() refuses answers that are none", async (t) => {
  const rows: readonly [string, ScriptedTpm][] = [
    ["no register", pcrTpm("sha256", new Map())],
    ["a register of another bank", pcrTpm("sha384", new Map([[3, VALUE]]))],
    ["another register", pcrTpm("sha256", new Map([[4, VALUE]]))],
    [
      "a register that was not asked for, too",
      pcrTpm("sha256", new Map([[3, VALUE], [4, VALUE]])),
    ],
    [
      "a value of another size",
      pcrTpm("sha256", new Map([[3, VALUE.slice(0, 20)]])),
    ],
  ];
  for (const [name, transport] of rows) {
    await t.step(name, async () => {
      await using tpm = new Tpm(transport);
      await assert.rejects(readPcrs(tpm, "sha256", [3]), PcrBankError);
    });
  }
});
