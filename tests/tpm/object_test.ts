import assert from "node:assert/strict";
import { readHandles } from "../../tpm/capability.ts";
import { OWNER, withPassword } from "../../tpm/entity.ts";
import {
  create,
  evict,
  load,
  makePersistent,
  nameOf,
  readPublic,
} from "../../tpm/object.ts";
import type { TpmtPublic } from "../../tpm/spec/public.ts";
import { akTemplate, ekTemplate } from "../../tpm/templates.ts";
import { akBelow, ekOn, KEYS, withEk } from "./keys.ts";
import { blankTpm, leftIn } from "./swtpm.ts";

/** `area` as its template was. */
function asTemplate(area: TpmtPublic, template: TpmtPublic): object {
  return { ...area, unique: template.unique };
}

Deno.test("keys are as their templates ask, and have the Name of their area", async (t) => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  for (const [type, scheme] of KEYS) {
    await t.step(type, async () => {
      await using ek = await ekOn(tpm, type);
      const template = ekTemplate(type);
      assert.deepEqual(asTemplate(ek.publicArea, template), template);
      assert.deepEqual(nameOf(ek.publicArea), ek.name);
      const wanted = akTemplate(type, scheme, "sha256");
      await using ak = await akBelow(tpm, ek, wanted);
      assert.deepEqual(asTemplate(ak.publicArea, wanted), wanted);
      assert.deepEqual(nameOf(ak.publicArea), ak.name);
      const { handle, name, publicArea } = ak;
      assert.deepEqual(await readPublic(tpm, handle), {
        handle,
        name,
        publicArea,
      });
    });
  }
  assert.deepEqual(await leftIn(tpm), []);
});

Deno.test("a primary key is the same whenever it is made", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  const names: string[] = [];
  for (let turn = 0; turn < 2; turn++) {
    await using ek = await ekOn(tpm, "ecc256");
    names.push(ek.name.toHex());
  }
  assert.equal(names[0], names[1]);
});

const OWNERS = withPassword(OWNER);

Deno.test("makePersistent() copies an object, and evict() removes the copy", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  const handle = 0x8108_0001;
  {
    await using ek = await ekOn(tpm, "ecc256");
    await makePersistent(tpm, OWNERS, { object: ek, handle });
    await assert.rejects(
      makePersistent(tpm, OWNERS, { object: ek, handle }),
      /TPM2_EvictControl .*TPM_RC_NV_DEFINED/,
    );
  }
  assert.deepEqual(await readHandles(tpm, 0x8100_0000), [handle]);
  await evict(tpm, OWNERS, await readPublic(tpm, handle));
  assert.deepEqual(await readHandles(tpm, 0x8100_0000), []);
});

Deno.test("makePersistent() passes on that a handle is not the owner's", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  await using ek = await ekOn(tpm, "ecc256");
  await assert.rejects(
    makePersistent(tpm, OWNERS, { object: ek, handle: 0x8180_0000 }),
    /TPM2_EvictControl .*TPM_RC_RANGE.*persistentHandle/,
  );
});

Deno.test("readPublic() reads a persistent object", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  await using ek = await ekOn(tpm, "ecc256");
  const handle = 0x8101_0005;
  await makePersistent(tpm, OWNERS, { object: ek, handle });
  const { name, publicArea } = ek;
  assert.deepEqual(await readPublic(tpm, handle), { handle, name, publicArea });
});

Deno.test("readPublic() says which object is not there", async () => {
  await using lab = await blankTpm();
  await assert.rejects(
    readPublic(lab.tpm, 0x8101_0fff),
    /^TpmError: TPM2_ReadPublic on 0x81010fff failed: TPM_RC_HANDLE \(0x18b\) for handle 1 \(objectHandle\)$/,
  );
});

Deno.test("load() refuses a key that was changed", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  await using ek = await ekOn(tpm, "ecc256");
  const template = akTemplate("ecc256", "ecdsa", "sha256");
  const made = await withEk(tpm, ek, (key) => create(tpm, key, template));
  const privateArea = made.privateArea.slice();
  privateArea[40] = (privateArea[40] ?? 0) ^ 1;
  await assert.rejects(
    withEk(tpm, ek, (key) => load(tpm, key, { ...made, privateArea })),
    /TPM_RC_INTEGRITY \(0x1df\) for parameter 1 \(inPrivate\)$/,
  );
});

Deno.test("nameOf() needs a nameAlg", () => {
  assert.throws(
    () => nameOf({ ...ekTemplate("rsa2048"), nameAlg: "null" }),
    new RangeError("An object without a nameAlg has no Name"),
  );
});

Deno.test("akTemplate() refuses a scheme of the other kind of key", () => {
  assert.throws(
    () => akTemplate("rsa2048", "ecdsa", "sha256"),
    new RangeError('An RSA key cannot sign with "ecdsa"'),
  );
  assert.throws(
    () => akTemplate("ecc256", "rsassa", "sha256"),
    new RangeError('An ECC key cannot sign with "rsassa"'),
  );
});
