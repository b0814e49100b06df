import assert from "node:assert/strict";
import { decode } from "../../tpm/codec/codec.ts";
import { Quote } from "../../tpm/commands/attestation.ts";
import { digest, publicKeyOf, randomBytes } from "../../tpm/crypto.ts";
import { withPassword } from "../../tpm/entity.ts";
import { TpmError } from "../../tpm/error.ts";
import { readPcrs } from "../../tpm/pcr.ts";
import { TPMS_ATTEST } from "../../tpm/spec/attest.ts";
import { pcrSelection, selectedPcrs } from "../../tpm/spec/pcr.ts";
import { akTemplate } from "../../tpm/templates.ts";
import { akBelow, ekOn, KEYS } from "./keys.ts";
import { isSigned } from "./signature.ts";
import { blankTpm } from "./swtpm.ts";

Deno.test("quotes verify, and are about the registers and the nonce", async (t) => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  for (const [type, scheme] of KEYS) {
    await t.step(type, async () => {
      await using ek = await ekOn(tpm, type);
      await using ak = await akBelow(
        tpm,
        ek,
        akTemplate(type, scheme, "sha256"),
      );
      const pcrs = [0, 10, 16, 23];
      const qualifyingData = randomBytes(20);
      const { quoted, signature } = await tpm.execute(Quote, {
        signHandle: withPassword(ak),
        qualifyingData,
        inScheme: { scheme, hashAlg: "sha256" },
        pcrSelect: pcrSelection("sha256", pcrs),
      });
      assert.equal(
        isSigned(quoted, publicKeyOf(ak.publicArea), signature),
        true,
      );
      const attest = decode(TPMS_ATTEST, quoted);
      assert.equal(attest.type, "attestQuote");
      assert.deepEqual(attest.extraData, qualifyingData);
      assert.deepEqual(selectedPcrs(attest.pcrSelect, "sha256"), pcrs);
      const values = await readPcrs(tpm, "sha256", pcrs);
      assert.deepEqual(attest.pcrDigest, digest("sha256", ...values.values()));
    });
  }
});

Deno.test("a key cannot sign with another scheme than its own", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  await using ek = await ekOn(tpm, "ecc256");
  await using ak = await akBelow(
    tpm,
    ek,
    akTemplate("ecc256", "ecdsa", "sha256"),
  );
  await assert.rejects(
    tpm.execute(Quote, {
      signHandle: withPassword(ak),
      qualifyingData: new Uint8Array(0),
      inScheme: { scheme: "ecdsa", hashAlg: "sha384" },
      pcrSelect: pcrSelection("sha256", [0]),
    }),
    (error) => {
      assert.ok(error instanceof TpmError);
      assert.equal(
        error.message,
        `TPM2_Quote on 0x${ak.handle.toString(16)} failed: TPM_RC_SCHEME ` +
          "(0x2d2) for parameter 2 (inScheme)",
      );
      return true;
    },
  );
});
