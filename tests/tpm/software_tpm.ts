/**
 * The TPM's side of secret sharing and of credentials, in software, for keys
 * whose private part the tests have. TPM 2.0 Part 1, "Secret Sharing" and
 * "Credential Protection".
 *
 * @module
 */

import { Buffer } from "node:buffer";
import {
  constants,
  createPrivateKey,
  diffieHellman,
  type KeyObject,
  privateDecrypt,
} from "node:crypto";
import type { Bytes } from "../../tpm/codec/buffer.ts";
import { decode, encode, type TypeOf } from "../../tpm/codec/codec.ts";
import { fixed } from "../../tpm/codec/buffer.ts";
import { Reader } from "../../tpm/codec/reader.ts";
import { equalInConstantTime, hmac, publicKeyOf } from "../../tpm/crypto.ts";
import { EMPTY } from "../../tpm/entity.ts";
import { decryptCfb, encryptCfb } from "../../tpm/session/cfb.ts";
import { kdfa, kdfe, labelBytes } from "../../tpm/session/kdf.ts";
import { shareSecret } from "../../tpm/session/salt.ts";
import { DIGEST_SIZES, type TpmHash } from "../../tpm/spec/algorithms.ts";
import { TPM2B_DIGEST } from "../../tpm/spec/buffers.ts";
import {
  TPMS_ECC_POINT,
  type TPMT_SENSITIVE,
  type TpmtPublic,
} from "../../tpm/spec/public.ts";

/** The private part of a decryption key. */
export type PrivatePart =
  | { readonly type: "rsa"; readonly key: KeyObject }
  | { readonly type: "ecc"; readonly scalar: Bytes };

function hashOf(area: TpmtPublic): TpmHash {
  if (area.nameAlg === "null") throw new Error("The key has no nameAlg");
  return area.nameAlg;
}

function number(bytes: Uint8Array): bigint {
  return BigInt(`0x${bytes.toHex() || "0"}`);
}

function base64url(value: bigint): string {
  const hex = value.toString(16);
  return Uint8Array.fromHex(hex.padStart(hex.length + hex.length % 2, "0"))
    .toBase64({ alphabet: "base64url", omitPadding: true });
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [r, nextR] = [modulus, value % modulus];
  let [t, nextT] = [0n, 1n];
  while (nextR !== 0n) {
    const quotient = r / nextR;
    [r, nextR] = [nextR, r - quotient * nextR];
    [t, nextT] = [nextT, t - quotient * nextT];
  }
  return (t + modulus) % modulus;
}

/** A TPM keeps one prime of an RSA key; the rest follows from the modulus. */
function rsaKey(modulus: Bytes, prime: Bytes): KeyObject {
  const n = number(modulus);
  const p = number(prime);
  const q = n / p;
  const e = 65537n;
  const d = inverse(e, (p - 1n) * (q - 1n));
  return createPrivateKey({
    format: "jwk",
    key: {
      kty: "RSA",
      n: base64url(n),
      e: base64url(e),
      d: base64url(d),
      p: base64url(p),
      q: base64url(q),
      dp: base64url(d % (p - 1n)),
      dq: base64url(d % (q - 1n)),
      qi: base64url(inverse(q, p)),
    },
  });
}

/** The private part of the key with these areas. */
export function privatePart(
  area: TpmtPublic,
  sensitive: TypeOf<typeof TPMT_SENSITIVE>,
): PrivatePart {
  if (area.type === "rsa" && sensitive.sensitiveType === "rsa") {
    return { type: "rsa", key: rsaKey(area.unique, sensitive.sensitive) };
  }
  if (area.type === "ecc" && sensitive.sensitiveType === "ecc") {
    return { type: "ecc", scalar: sensitive.sensitive };
  }
  throw new Error("The areas belong to different keys");
}

/** The private part that a PKCS#8 file holds. */
export function privatePartOfPem(pem: string): PrivatePart {
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyType === "rsa") return { type: "rsa", key };
  const { d = "" } = key.export({ format: "jwk" });
  return {
    type: "ecc",
    scalar: Uint8Array.fromBase64(d, { alphabet: "base64url" }),
  };
}

/** The secret that `encrypted` carries to the key of `area`. */
export function openSecret(
  area: TpmtPublic,
  own: PrivatePart,
  shared: { readonly label: string; readonly encrypted: Bytes },
): Bytes {
  const hash = hashOf(area);
  const { label, encrypted } = shared;
  if (own.type === "rsa") {
    return Uint8Array.from(privateDecrypt({
      key: own.key,
      padding: constants.RSA_PKCS1_OAEP_PADDING,
      oaepHash: area.type === "rsa" && area.parameters.scheme.scheme === "oaep"
        ? area.parameters.scheme.hashAlg
        : hash,
      oaepLabel: Buffer.from(labelBytes(label)),
    }, encrypted));
  }
  if (area.type !== "ecc") throw new Error("The key is no ECC key");
  const ephemeral = decode(TPMS_ECC_POINT, encrypted);
  return kdfe(agreedSecret(area, own.scalar, ephemeral), {
    hash,
    label,
    contextU: ephemeral.x,
    contextV: area.unique.x,
    bits: DIGEST_SIZES[hash] * 8,
  });
}

/** The x coordinate that the key of `area` and the holder of `peer` share. */
export function agreedSecret(
  area: Extract<TpmtPublic, { readonly type: "ecc" }>,
  scalar: Bytes,
  peer: TypeOf<typeof TPMS_ECC_POINT>,
): Bytes {
  return Uint8Array.from(diffieHellman({
    privateKey: eccKey(area, scalar),
    publicKey: publicKeyOf({ ...area, unique: peer }),
  }));
}

function eccKey(area: TpmtPublic, scalar: Bytes): KeyObject {
  const jwk = publicKeyOf(area).export({ format: "jwk" });
  const size = Uint8Array.fromBase64(jwk.x ?? "", { alphabet: "base64url" });
  const d = new Uint8Array(size.length);
  d.set(scalar, d.length - scalar.length);
  return createPrivateKey({
    format: "jwk",
    key: {
      ...jwk,
      d: d.toBase64({ alphabet: "base64url", omitPadding: true }),
    },
  });
}

/** The keys that protect a credential for the object called `name`. */
export function credentialKeys(
  area: TpmtPublic,
  seed: Bytes,
  name: Bytes,
): { readonly storage: Bytes; readonly integrity: Bytes } {
  const hash = hashOf(area);
  const bits = area.type !== "rsa" && area.type !== "ecc" ||
      area.parameters.symmetric.algorithm === "null"
    ? 128
    : area.parameters.symmetric.keyBits;
  const storage = { hash, label: "STORAGE", contextU: name, contextV: EMPTY };
  const integrity = { ...storage, label: "INTEGRITY", contextU: EMPTY };
  return {
    storage: kdfa(seed, { ...storage, bits }),
    integrity: kdfa(seed, { ...integrity, bits: DIGEST_SIZES[hash] * 8 }),
  };
}

/** A credential as TPM2_MakeCredential gives it. */
export interface Credential {
  readonly credentialBlob: Bytes;
  readonly secret: Bytes;
}

const NO_IV: Bytes = new Uint8Array(16);

/** The body of a TPM2B_ID_OBJECT for the object called `name`. */
export function protectCredential(
  area: TpmtPublic,
  seed: Bytes,
  wanted: { readonly secret: Bytes; readonly name: Bytes },
): Bytes {
  const { storage, integrity } = credentialKeys(area, seed, wanted.name);
  const identity = encryptCfb(
    { key: storage, iv: NO_IV },
    encode(TPM2B_DIGEST, wanted.secret),
  );
  const mac = hmac(hashOf(area), integrity, identity, wanted.name);
  return Uint8Array.of(...encode(TPM2B_DIGEST, mac), ...identity);
}

/** TPM2_MakeCredential. */
export function makeCredential(
  area: TpmtPublic,
  wanted: { readonly secret: Bytes; readonly name: Bytes },
): Credential {
  const { secret: seed, encrypted } = shareSecret(area, "IDENTITY");
  return {
    credentialBlob: protectCredential(area, seed, wanted),
    secret: encrypted,
  };
}

/** TPM2_ActivateCredential. Throws if the credential is not for `name`. */
export function activateCredential(
  area: TpmtPublic,
  own: PrivatePart,
  credential: Credential & { readonly name: Bytes },
): Bytes {
  const { credentialBlob, secret: encrypted, name } = credential;
  const seed = openSecret(area, own, { label: "IDENTITY", encrypted });
  const { storage, integrity } = credentialKeys(area, seed, name);
  const reader = new Reader(credentialBlob);
  const mac = TPM2B_DIGEST.read(reader);
  const identity = fixed("encIdentity", reader.remaining).read(reader);
  const expected = hmac(hashOf(area), integrity, identity, name);
  if (!equalInConstantTime(mac, expected)) {
    throw new Error("The credential's HMAC is wrong");
  }
  return decode(
    TPM2B_DIGEST,
    decryptCfb({ key: storage, iv: NO_IV }, identity),
  );
}
