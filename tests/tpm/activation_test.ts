import assert from "node:assert/strict";
import { decode } from "../../tpm/codec/codec.ts";
import {
  ActivateCredential,
  LoadExternal,
  MakeCredential,
} from "../../tpm/commands/object.ts";
import { randomBytes } from "../../tpm/crypto.ts";
import { withPassword } from "../../tpm/entity.ts";
import { nameOf, TransientObject } from "../../tpm/object.ts";
import { TPM_RH_NULL } from "../../tpm/spec/handles.ts";
import { TPMT_PUBLIC } from "../../tpm/spec/public.ts";
import { akTemplate } from "../../tpm/templates.ts";
import { akBelow, ekOn, KEYS, withEk } from "./keys.ts";
import {
  activateCredential,
  makeCredential,
  privatePartOfPem,
} from "./software_tpm.ts";
import { blankTpm, leftIn } from "./swtpm.ts";
import { vectors } from "./vectors.ts";

Deno.test("a credential activates, whoever made it", async (t) => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  for (const [type, scheme] of KEYS) {
    await using ek = await ekOn(tpm, type);
    await using ak = await akBelow(tpm, ek, akTemplate(type, scheme, "sha256"));
    const secret = randomBytes(32);
    const makers = {
      "the TPM": () =>
        tpm.execute(MakeCredential, {
          handle: ek,
          credential: secret,
          objectName: ak.name,
        }),
      software: () =>
        Promise.resolve(
          makeCredential(ek.publicArea, { secret, name: ak.name }),
        ),
    };
    for (const [maker, make] of Object.entries(makers)) {
      await t.step(`${type} by ${maker}`, async () => {
        const { credentialBlob, secret: encrypted } = await make();
        const { certInfo } = await withEk(
          tpm,
          ek,
          (keyHandle) =>
            tpm.execute(ActivateCredential, {
              activateHandle: withPassword(ak),
              keyHandle,
              credentialBlob,
              secret: encrypted,
            }),
        );
        assert.deepEqual(certInfo, secret);
      });
    }
  }
});

Deno.test("a credential for another key is refused", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  await using ek = await ekOn(tpm, "ecc256");
  await using ak = await akBelow(
    tpm,
    ek,
    akTemplate("ecc256", "ecdsa", "sha256"),
  );
  const { credentialBlob, secret } = makeCredential(ek.publicArea, {
    secret: randomBytes(8),
    name: ek.name,
  });
  await assert.rejects(
    withEk(tpm, ek, (keyHandle) =>
      tpm.execute(ActivateCredential, {
        activateHandle: withPassword(ak),
        keyHandle,
        credentialBlob,
        secret,
      })),
    /TPM_RC_INTEGRITY \(0x1df\) for parameter 1 \(credentialBlob\)$/,
  );
  assert.deepEqual(
    (await leftIn(tpm)).toSorted(),
    [ek.handle, ak.handle].toSorted(),
  );
});

interface SoftwareKey {
  readonly name: string;
  readonly ek_private_pkcs8_pem: string;
  readonly ek_public_tpmt_hex: string;
  readonly ak_name_hex: string;
}

Deno.test("a credential that the TPM made opens in software", async (t) => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  for (const vector of vectors<SoftwareKey>("software-ek-a.json")) {
    await t.step(vector.name, async () => {
      const area = decode(
        TPMT_PUBLIC,
        Uint8Array.fromHex(vector.ek_public_tpmt_hex),
      );
      const { objectHandle, name } = await tpm.execute(LoadExternal, {
        inPrivate: undefined,
        inPublic: area,
        hierarchy: TPM_RH_NULL,
      });
      await using ek = new TransientObject(tpm, {
        handle: objectHandle,
        name,
        publicArea: area,
      });
      assert.deepEqual(nameOf(area), ek.name);
      const secret = randomBytes(16);
      const akName = Uint8Array.fromHex(vector.ak_name_hex);
      const credential = await tpm.execute(MakeCredential, {
        handle: ek,
        credential: secret,
        objectName: akName,
      });
      const opened = activateCredential(
        area,
        privatePartOfPem(vector.ek_private_pkcs8_pem),
        { ...credential, name: akName },
      );
      assert.deepEqual(opened, secret);
    });
  }
});
