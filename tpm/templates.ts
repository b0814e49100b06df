/**
 * Public areas from which keys are made: endorsement keys as the TCG EK
 * Credential Profile fixes them, attestation keys as Keylime's verifier
 * expects them (contract sections 3.2 and 3.4).
 *
 * @module
 */

import type { Bytes } from "./codec/buffer.ts";
import { EMPTY } from "./entity.ts";
import type { TpmHash } from "./spec/algorithms.ts";
import type { TpmtPublic } from "./spec/public.ts";

/** The kinds of key that the agent makes. */
export type KeyType = "rsa2048" | "ecc256";

/** A signature scheme whose quotes Keylime's verifier checks. */
export type SigningScheme = "rsassa" | "ecdsa";

/**
 * PolicyA of the EK Credential Profile, SHA-256: what TPM2_PolicySecret with
 * the endorsement hierarchy gives.
 */
const EK_POLICY_A_SHA256: Bytes = Uint8Array.fromHex(
  "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa",
);

const EK_COMMON = {
  nameAlg: "sha256",
  objectAttributes: {
    fixedTPM: true,
    fixedParent: true,
    sensitiveDataOrigin: true,
    adminWithPolicy: true,
    restricted: true,
    decrypt: true,
  },
  authPolicy: EK_POLICY_A_SHA256,
} as const;

const AES_128_CFB = { algorithm: "aes", keyBits: 128, mode: "cfb" } as const;

const EK_TEMPLATES: { readonly [K in KeyType]: TpmtPublic } = {
  rsa2048: {
    ...EK_COMMON,
    type: "rsa",
    parameters: {
      symmetric: AES_128_CFB,
      scheme: { scheme: "null" },
      keyBits: 2048,
      exponent: 0,
    },
    unique: new Uint8Array(256),
  },
  ecc256: {
    ...EK_COMMON,
    type: "ecc",
    parameters: {
      symmetric: AES_128_CFB,
      scheme: { scheme: "null" },
      curveID: "nist_p256",
      kdf: { scheme: "null" },
    },
    unique: { x: new Uint8Array(32), y: new Uint8Array(32) },
  },
};

/** NV index of the EK certificate of each key type. EK Credential Profile. */
export const EK_CERTIFICATE_INDEX: { readonly [K in KeyType]: number } = {
  rsa2048: 0x01c0_0002,
  ecc256: 0x01c0_000a,
};

/** The default template of an endorsement key (L-1 and L-2 of the profile). */
export function ekTemplate(type: KeyType): TpmtPublic {
  return EK_TEMPLATES[type];
}

/** The template of an attestation key that signs with `scheme` over `hash`. */
export function akTemplate(
  type: KeyType,
  scheme: SigningScheme,
  hash: TpmHash,
): TpmtPublic {
  const common = {
    nameAlg: hash,
    objectAttributes: {
      fixedTPM: true,
      fixedParent: true,
      sensitiveDataOrigin: true,
      userWithAuth: true,
      restricted: true,
      sign: true,
    },
    authPolicy: EMPTY,
  } as const;
  const symmetric = { algorithm: "null" } as const;
  return type === "rsa2048"
    ? {
      ...common,
      type: "rsa",
      parameters: {
        symmetric,
        scheme: { scheme: rsaScheme(scheme), hashAlg: hash },
        keyBits: 2048,
        exponent: 0,
      },
      unique: EMPTY,
    }
    : {
      ...common,
      type: "ecc",
      parameters: {
        symmetric,
        scheme: { scheme: eccScheme(scheme), hashAlg: hash },
        curveID: "nist_p256",
        kdf: { scheme: "null" },
      },
      unique: { x: EMPTY, y: EMPTY },
    };
}

function rsaScheme(scheme: SigningScheme): "rsassa" {
  if (scheme === "rsassa") return scheme;
  throw new RangeError(`An RSA key cannot sign with "${scheme}"`);
}

function eccScheme(scheme: SigningScheme): "ecdsa" {
  if (scheme === "ecdsa") return scheme;
  throw new RangeError(`An ECC key cannot sign with "${scheme}"`);
}
