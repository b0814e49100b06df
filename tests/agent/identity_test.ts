import assert from "node:assert/strict";
import { openIdentity } from "../../agent/identity.ts";
import {
  createPrimary,
  ekTemplate,
  ENDORSEMENT,
  withPassword,
} from "../../tpm/mod.ts";
import { recordingLog } from "../api/support/attester.ts";
import { BareTpm } from "./support/bare_tpm.ts";
import { configIn } from "./support/configuration.ts";

const ECC = ['tpm_encryption_alg = "ecc"', 'tpm_signing_alg = "ecdsa"'];

Deno.test("openIdentity() finds the keys and the id, and unloads them at the end", async () => {
  await using lab = await BareTpm.make();
  const { log, lines } = recordingLog();
  const config = await configIn(lab.directory, ...ECC);
  {
    await using identity = await openIdentity(lab.tpm, config, log);
    assert.equal(identity.uuid, identity.ek.hash);
    assert.equal(identity.ekCertificates, undefined);
    assert.equal((await lab.leavings()).length, 2);
  }
  assert.deepEqual(await lab.leavings(), []);
  assert.match(lines[0] ?? "", /^info TPM IBM "SW.*TPM" at the test's TPM$/);
  assert.match(lines[1] ?? "", /^warn This is a software TPM: .*production$/);
});

Deno.test("openIdentity() takes few commands, and fewer the second time", async () => {
  await using lab = await BareTpm.make();
  const { log } = recordingLog();
  const config = await configIn(lab.directory, ...ECC);
  const start = async (): Promise<void> => {
    await using _ = await openIdentity(lab.tpm, config, log);
  };
  const counts = [
    (await lab.during(start)).length,
    (await lab.during(start)).length,
  ];
  // 2 of them look for leftovers, 2 unload the keys.
  assert.deepEqual(counts, [14, 11]);
});

Deno.test("openIdentity() clears out what an ended program left behind", async () => {
  await using lab = await BareTpm.make();
  const hierarchy = withPassword(ENDORSEMENT);
  for (let n = 0; n < 3; n++) {
    await createPrimary(lab.tpm, hierarchy, ekTemplate("ecc256"));
  }
  const { log, lines } = recordingLog();
  const config = await configIn(lab.directory, ...ECC);
  {
    await using _ = await openIdentity(lab.tpm, config, log);
    assert.equal((await lab.leavings()).length, 2);
  }
  assert.match(lines.join("\n"), /^warn Flushed 3 objects and sessions/m);
});

Deno.test("openIdentity() refuses a hash whose PCR bank the TPM lacks, and says what to do", async () => {
  await using lab = await BareTpm.make();
  await lab.tool(
    "tpm2_pcrallocate",
    "sha256:all+sha1:none+sha384:none+sha512:none",
  );
  await lab.restart();
  const { log } = recordingLog();
  const config = await configIn(
    lab.directory,
    ...ECC,
    'tpm_hash_alg = "sha512"',
  );
  await assert.rejects(
    openIdentity(lab.tpm, config, log),
    /"tpm_hash_alg" is "sha512".*tpm2_pcrallocate/,
  );
  assert.deepEqual(await lab.leavings(), []);
});

Deno.test("openIdentity() unloads what it has loaded when it fails", async (t) => {
  await using lab = await BareTpm.make();
  const { log } = recordingLog();
  const config = await configIn(lab.directory, ...ECC);
  await t.step("at the certificate's index, which is no failure", async () => {
    lab.refuse(0x169, 0x101);
    await using _ = await openIdentity(lab.tpm, config, log);
  });
  await t.step("at the attestation key", async () => {
    lab.refuse(0x157, 0x101);
    await assert.rejects(openIdentity(lab.tpm, config, log), /TPM2_Load/);
  });
  await t.step("at the file", async () => {
    lab.mux.intercept = undefined;
    const agentDataPath = lab.path("missing/agent_data.json");
    await assert.rejects(
      openIdentity(lab.tpm, { ...config, agentDataPath }, log),
      /Cannot write/,
    );
  });
  lab.mux.intercept = undefined;
  assert.deepEqual(await lab.leavings(), []);
});
