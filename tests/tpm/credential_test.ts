import assert from "node:assert/strict";
import { Tpm } from "../../tpm/client.ts";
import type { Bytes } from "../../tpm/codec/buffer.ts";
import { decode, encode } from "../../tpm/codec/codec.ts";
import { CodecError } from "../../tpm/codec/error.ts";
import { constant, u32 } from "../../tpm/codec/scalars.ts";
import { struct } from "../../tpm/codec/struct.ts";
import { ActivateCredential } from "../../tpm/commands/object.ts";
import { publicKeyOf } from "../../tpm/crypto.ts";
import { handleEntity, withPassword, withSession } from "../../tpm/entity.ts";
import { nameOf } from "../../tpm/object.ts";
import { AuthSession } from "../../tpm/session/auth_session.ts";
import { kdfe } from "../../tpm/session/kdf.ts";
import {
  TPM2B_ENCRYPTED_SECRET,
  TPM2B_ID_OBJECT,
} from "../../tpm/spec/buffers.ts";
import {
  TPM2B_PUBLIC,
  TPMS_ECC_POINT,
  TPMT_PUBLIC,
  type TpmtPublic,
} from "../../tpm/spec/public.ts";
import { replay } from "../../tpm/transport/replay.ts";
import {
  activateCredential,
  agreedSecret,
  type Credential,
  credentialKeys,
  makeCredential,
  privatePartOfPem,
  protectCredential,
} from "./software_tpm.ts";
import { takeCommand } from "./transcript.ts";
import { vectorBytes, vectors } from "./vectors.ts";

/** What tpm2_makecredential and Keylime write around a credential. */
const CREDENTIAL_FILE = struct("credential file", {
  magic: constant(u32, 0xbadc_c0de),
  version: constant(u32, 1),
  credentialBlob: TPM2B_ID_OBJECT,
  secret: TPM2B_ENCRYPTED_SECRET,
});

function hex(text = ""): Bytes {
  return Uint8Array.fromHex(text);
}

function credentialFile(credential: Credential): string {
  return encode(CREDENTIAL_FILE, {
    magic: 0xbadc_c0de,
    version: 1,
    ...credential,
  }).toHex();
}

/** A credential for a key of which the vector has the private part. */
interface SoftwareKey {
  readonly name: string;
  readonly ek_private_pkcs8_pem: string;
  readonly ek_public_tpmt_hex: string;
  readonly ak_name_hex: string;
  readonly secret_hex: string;
  readonly seed_hex: string;
  readonly storage_key_hex: string;
  readonly integrity_key_hex: string;
  readonly keylime_blob_hex: string;
}

const SOFTWARE_KEYS = vectors<SoftwareKey>("software-ek-a.json");

Deno.test("credentials for software keys open", async (t) => {
  for (const vector of SOFTWARE_KEYS) {
    await t.step(vector.name, () => {
      const area = decode(TPMT_PUBLIC, hex(vector.ek_public_tpmt_hex));
      const own = privatePartOfPem(vector.ek_private_pkcs8_pem);
      const file = decode(CREDENTIAL_FILE, hex(vector.keylime_blob_hex));
      const name = hex(vector.ak_name_hex);
      const secret = activateCredential(area, own, { ...file, name });
      assert.equal(secret.toHex(), vector.secret_hex);
    });
  }
});

Deno.test("credentials are protected by the expected keys", async (t) => {
  for (const vector of SOFTWARE_KEYS) {
    await t.step(vector.name, () => {
      const area = decode(TPMT_PUBLIC, hex(vector.ek_public_tpmt_hex));
      const name = hex(vector.ak_name_hex);
      const seed = hex(vector.seed_hex);
      const keys = credentialKeys(area, seed, name);
      assert.equal(keys.storage.toHex(), vector.storage_key_hex);
      assert.equal(keys.integrity.toHex(), vector.integrity_key_hex);
      const { credentialBlob } = decode(
        CREDENTIAL_FILE,
        hex(vector.keylime_blob_hex),
      );
      const secret = hex(vector.secret_hex);
      assert.equal(
        protectCredential(area, seed, { secret, name }).toHex(),
        credentialBlob.toHex(),
      );
    });
  }
});

Deno.test("a credential opens for the named object only", () => {
  for (const vector of SOFTWARE_KEYS) {
    const area = decode(TPMT_PUBLIC, hex(vector.ek_public_tpmt_hex));
    const own = privatePartOfPem(vector.ek_private_pkcs8_pem);
    const name = hex(vector.ak_name_hex);
    const credential = makeCredential(area, { secret: hex("0102"), name });
    const opened = activateCredential(area, own, { ...credential, name });
    assert.equal(opened.toHex(), "0102");
    name[5] = (name[5] ?? 0) ^ 1;
    assert.throws(
      () => activateCredential(area, own, { ...credential, name }),
      /HMAC is wrong/,
    );
  }
});

interface MalformedFile {
  readonly name: string;
  readonly blob_b64: string;
  readonly demanded: string;
}

Deno.test("malformed credentials are refused with a typed error", async (t) => {
  const [base] = SOFTWARE_KEYS;
  assert.ok(base);
  const area = decode(TPMT_PUBLIC, hex(base.ek_public_tpmt_hex));
  const own = privatePartOfPem(base.ek_private_pkcs8_pem);
  for (const vector of vectors<MalformedFile>("malformed-blobs-a.json")) {
    await t.step(vector.name, () => {
      const bytes = Uint8Array.fromBase64(vector.blob_b64);
      if (!vector.demanded.startsWith("parses;")) {
        assert.throws(() => decode(CREDENTIAL_FILE, bytes), CodecError);
        return;
      }
      const name = hex(base.ak_name_hex);
      const file = decode(CREDENTIAL_FILE, bytes);
      assert.throws(
        () => activateCredential(area, own, { ...file, name }),
        /HMAC is wrong/,
      );
    });
  }
});

/** Vectors of Keylime's own MakeCredential, with chosen randomness. */
interface KeylimeVector {
  readonly name: string;
  readonly ek_public_hex: string;
  readonly challenge_hex: string;
  readonly ak_name_hex: string;
  readonly ephemeral_private_decimal?: string;
  readonly expected_hex?: string;
  readonly expected_first_80_bytes_hex?: string;
}

/** The seed that the chosen ephemeral key leads to. */
function seedOf(
  ek: TpmtPublic,
  ephemeralScalar: Bytes,
  encrypted: Bytes,
): Bytes {
  if (ek.type !== "ecc") return assert.fail("an RSA key needs no agreement");
  const unique = decode(TPMS_ECC_POINT, encrypted);
  const z = agreedSecret({ ...ek, unique }, ephemeralScalar, ek.unique);
  return kdfe(z, {
    hash: "sha256",
    label: "IDENTITY",
    contextU: unique.x,
    contextV: ek.unique.x,
    bits: 256,
  });
}

Deno.test("credentials equal those of Keylime", async (t) => {
  for (const vector of vectors<KeylimeVector>("keylime-makecredential.json")) {
    await t.step(vector.name, () => {
      const ek = decode(TPM2B_PUBLIC, hex(vector.ek_public_hex));
      const wanted = {
        secret: hex(vector.challenge_hex),
        name: hex(vector.ak_name_hex),
      };
      const { ephemeral_private_decimal: scalar } = vector;
      if (scalar === undefined) {
        const seed = new Uint8Array(32).fill(0x12);
        const credentialBlob = protectCredential(ek, seed, wanted);
        const secret = new Uint8Array(256);
        const file = credentialFile({ credentialBlob, secret });
        assert.equal(file.slice(0, 160), vector.expected_first_80_bytes_hex);
        return;
      }
      const { secret } = decode(CREDENTIAL_FILE, hex(vector.expected_hex));
      const scalarHex = BigInt(scalar).toString(16).padStart(64, "0");
      const seed = seedOf(ek, hex(scalarHex), secret);
      const credentialBlob = protectCredential(ek, seed, wanted);
      assert.equal(
        credentialFile({ credentialBlob, secret }),
        vector.expected_hex,
      );
    });
  }
});

/** A credential with known seed, and a TPM's exchange that opened it. */
interface ActivatedVector {
  readonly name: string;
  readonly ephemeral_private_hex?: string;
  readonly secret_hex: string;
  readonly seed_hex: string;
  readonly sym_key_hex: string;
  readonly hmac_key_hex: string;
  readonly keylime_blob_hex: string;
  readonly ek_public_hex: string;
  readonly ak_public_hex: string;
  readonly ak_name_hex: string;
  readonly command_hex: string;
  readonly response_hex: string;
}

const ACTIVATED = vectors<ActivatedVector>("lab-a-activation-known-seed.json");

Deno.test("credentials that a TPM opened are made from their seed", async (t) => {
  for (const vector of ACTIVATED) {
    await t.step(vector.name, () => {
      const ek = decode(TPMT_PUBLIC, hex(vector.ek_public_hex));
      const name = nameOf(decode(TPMT_PUBLIC, hex(vector.ak_public_hex)));
      assert.equal(name.toHex(), vector.ak_name_hex);
      const seed = hex(vector.seed_hex);
      const keys = credentialKeys(ek, seed, name);
      assert.equal(keys.storage.toHex(), vector.sym_key_hex);
      assert.equal(keys.integrity.toHex(), vector.hmac_key_hex);
      const { secret } = decode(CREDENTIAL_FILE, hex(vector.keylime_blob_hex));
      if (vector.ephemeral_private_hex !== undefined) {
        const scalar = hex(vector.ephemeral_private_hex);
        assert.equal(seedOf(ek, scalar, secret).toHex(), vector.seed_hex);
      }
      const credentialBlob = protectCredential(ek, seed, {
        secret: hex(vector.secret_hex),
        name,
      });
      assert.equal(
        credentialFile({ credentialBlob, secret }),
        vector.keylime_blob_hex,
      );
    });
  }
});

Deno.test("TPM2_ActivateCredential is sent byte for byte", async (t) => {
  for (const vector of ACTIVATED) {
    await t.step(vector.name, async () => {
      const { frame } = takeCommand(hex(vector.command_hex));
      const [ak = 0, ek = 0] = frame.handles;
      const policy = new AuthSession({
        handle: frame.authorizations[1]?.sessionHandle ?? 0,
        type: "policy",
        hash: "sha256",
        nonceTpm: new Uint8Array(16),
        sessionKey: new Uint8Array(0),
        symmetric: { algorithm: "null" },
        attributes: { continueSession: true },
      });
      await using tpm = new Tpm(
        replay([{
          command: vector.command_hex,
          response: vector.response_hex,
        }]),
      );
      const { certInfo } = await tpm.execute(ActivateCredential, {
        activateHandle: withPassword(handleEntity(ak)),
        keyHandle: withSession(handleEntity(ek), policy),
        ...decode(CREDENTIAL_FILE, hex(vector.keylime_blob_hex)),
      });
      assert.equal(certInfo.toHex(), vector.secret_hex);
    });
  }
});

interface LabVector {
  readonly name: string;
  readonly ek_public_tpm2b_hex: string;
  readonly ek_public_pem: string;
  readonly ak_public_tpm2b_hex: string;
  readonly ak_name_hex: string;
  readonly blob_hex: string;
}

Deno.test("credentials and keys of tpm2-tools decode", async (t) => {
  for (const vector of vectors<LabVector>("lab-a-credentials.json")) {
    await t.step(vector.name, () => {
      const ek = decode(TPM2B_PUBLIC, hex(vector.ek_public_tpm2b_hex));
      const ak = decode(TPM2B_PUBLIC, hex(vector.ak_public_tpm2b_hex));
      assert.equal(
        encode(TPM2B_PUBLIC, ek).toHex(),
        vector.ek_public_tpm2b_hex,
      );
      assert.equal(nameOf(ak).toHex(), vector.ak_name_hex);
      assert.equal(pemOf(ek), vector.ek_public_pem.trim());
      const file = decode(CREDENTIAL_FILE, hex(vector.blob_hex));
      assert.equal(credentialFile(file), vector.blob_hex);
    });
  }
});

function pemOf(area: TpmtPublic): string {
  return String(publicKeyOf(area).export({ format: "pem", type: "spki" }))
    .trim();
}

Deno.test("keys and credential of Keylime's emulator files decode", () => {
  const text = (file: string): string =>
    new TextDecoder().decode(vectorBytes(`keylime-emulator/${file}`)).trim();
  const ek = decode(TPM2B_PUBLIC, vectorBytes("keylime-emulator/ek.pub"));
  const ak = decode(TPM2B_PUBLIC, vectorBytes("keylime-emulator/ak.pub"));
  assert.equal(pemOf(ek), text("ekpub.pem"));
  assert.equal(pemOf(ak), text("akpub.pem"));
  assert.deepEqual(nameOf(ak), vectorBytes("keylime-emulator/ak.name"));
  const file = vectorBytes("keylime-emulator/mkcred.out");
  assert.equal(credentialFile(decode(CREDENTIAL_FILE, file)), file.toHex());
});

interface PublicVector {
  readonly test: string;
  readonly values_hex: { readonly [name: string]: string };
}

Deno.test("public areas of Keylime's tests decode and have their Names", async (t) => {
  for (const vector of vectors<PublicVector>("keylime-public-objects.json")) {
    for (const [what, value] of Object.entries(vector.values_hex)) {
      if (!/^test_pub$|^correct_.*_obj$/.test(what)) continue;
      await t.step(`${vector.test}: ${what}`, () => {
        const area = decode(TPM2B_PUBLIC, hex(value));
        assert.equal(encode(TPM2B_PUBLIC, area).toHex(), value);
        const name = vector.values_hex["test_pub_correct_name"];
        if (name !== undefined) assert.equal(nameOf(area).toHex(), name);
      });
    }
  }
});
