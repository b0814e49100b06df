import assert from "node:assert/strict";
import { constants, verify } from "node:crypto";
import type { Bytes } from "../../tpm/codec/buffer.ts";
import { decode } from "../../tpm/codec/codec.ts";
import { Quote } from "../../tpm/commands/attestation.ts";
import type { Executor } from "../../tpm/commands/command.ts";
import { EvictControl } from "../../tpm/commands/context.ts";
import {
  ActivateCredential,
  LoadExternal,
  MakeCredential,
} from "../../tpm/commands/object.ts";
import { digest, publicKeyOf, randomBytes } from "../../tpm/crypto.ts";
import {
  type AuthorizedEntity,
  ENDORSEMENT,
  handleEntity,
  withPassword,
  withSession,
} from "../../tpm/entity.ts";
import { TpmError } from "../../tpm/error.ts";
import {
  create,
  createPrimary,
  load,
  nameOf,
  readPublic,
  TransientObject,
} from "../../tpm/object.ts";
import { readPcrs } from "../../tpm/pcr.ts";
import { policySecret, startSession } from "../../tpm/session/start.ts";
import { TPMS_ATTEST } from "../../tpm/spec/attest.ts";
import { TPM_RH_NULL, TPM_RH_OWNER } from "../../tpm/spec/handles.ts";
import { pcrSelection, selectedPcrs } from "../../tpm/spec/pcr.ts";
import { TPMT_PUBLIC, type TpmtPublic } from "../../tpm/spec/public.ts";
import type { TpmtSignature } from "../../tpm/spec/signature.ts";
import {
  akTemplate,
  ekTemplate,
  type KeyType,
  type SigningScheme,
} from "../../tpm/templates.ts";
import {
  activateCredential,
  makeCredential,
  privatePartOfPem,
} from "./software_tpm.ts";
import { blankTpm, leftIn } from "./swtpm.ts";
import { vectors } from "./vectors.ts";

const KEYS: readonly (readonly [KeyType, SigningScheme])[] = [
  ["rsa2048", "rsassa"],
  ["ecc256", "ecdsa"],
];

function ekOn(tpm: Executor, type: KeyType): Promise<TransientObject> {
  return createPrimary(tpm, withPassword(ENDORSEMENT), ekTemplate(type));
}

/** Runs `work` with a right to use the endorsement key `ek` once. */
async function withEk<T>(
  tpm: Executor,
  ek: TransientObject,
  work: (authorized: AuthorizedEntity) => Promise<T>,
): Promise<T> {
  await using session = await startSession(tpm, {
    type: "policy",
    hash: "sha256",
    saltKey: ek,
    attributes: { encrypt: true },
  });
  await policySecret(tpm, session, withPassword(ENDORSEMENT));
  return await work(withSession(ek, session));
}

/** An attestation key below `ek`. */
async function akBelow(
  tpm: Executor,
  ek: TransientObject,
  template: TpmtPublic,
): Promise<TransientObject> {
  const made = await withEk(tpm, ek, (key) => create(tpm, key, template));
  return await withEk(tpm, ek, (key) => load(tpm, key, made));
}

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

function isSigned(
  quoted: Bytes,
  area: TpmtPublic,
  signature: TpmtSignature,
): boolean {
  const key = publicKeyOf(area);
  if (signature.sigAlg === "rsassa") {
    const padding = constants.RSA_PKCS1_PADDING;
    return verify(signature.hash, quoted, { key, padding }, signature.sig);
  }
  if (signature.sigAlg !== "ecdsa") return assert.fail(signature.sigAlg);
  const both = [signature.signatureR, signature.signatureS].flatMap((part) => [
    ...new Uint8Array(32 - part.length),
    ...part,
  ]);
  const dsaEncoding = "ieee-p1363";
  return verify(
    signature.hash,
    quoted,
    { key, dsaEncoding },
    Uint8Array.from(both),
  );
}

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
      assert.equal(isSigned(quoted, ak.publicArea, signature), true);
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

Deno.test("readPublic() reads a persistent object", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  await using ek = await ekOn(tpm, "ecc256");
  const handle = 0x8101_0005;
  await tpm.execute(EvictControl, {
    auth: withPassword(handleEntity(TPM_RH_OWNER)),
    objectHandle: ek,
    persistentHandle: handle,
  });
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
