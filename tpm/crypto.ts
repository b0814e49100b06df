/**
 * The one seam between this library and cryptography: everything here is the
 * platform's, in the units that TPM structures have.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import {
  constants,
  createCipheriv,
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  publicEncrypt,
  randomFillSync,
  timingSafeEqual,
} from "node:crypto";
import type { Bytes } from "./codec/buffer.ts";
import type { TpmHash } from "./spec/algorithms.ts";
import type { TpmtPublic } from "./spec/public.ts";

const NODE_HASHES: { readonly [H in TpmHash]?: string } = {
  sha1: "sha1",
  sha256: "sha256",
  sha384: "sha384",
  sha512: "sha512",
  sha3_256: "sha3-256",
  sha3_384: "sha3-384",
  sha3_512: "sha3-512",
};

function nodeHash(hash: TpmHash): string {
  const name = NODE_HASHES[hash];
  if (name === undefined) {
    throw new RangeError(`Hash "${hash}" is not available on this platform`);
  }
  return name;
}

/** The digest of `parts`, one after the other. */
export function digest(hash: TpmHash, ...parts: readonly Uint8Array[]): Bytes {
  const state = createHash(nodeHash(hash));
  for (const part of parts) state.update(part);
  return Uint8Array.from(state.digest());
}

/** The HMAC of `parts`, one after the other. */
export function hmac(
  hash: TpmHash,
  key: Uint8Array,
  ...parts: readonly Uint8Array[]
): Bytes {
  const state = createHmac(nodeHash(hash), key);
  for (const part of parts) state.update(part);
  return Uint8Array.from(state.digest());
}

/** Whether `a` and `b` are equal, in time that depends on their length only. */
export function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** `count` random bytes from the operating system. */
export function randomBytes(count: number): Bytes {
  return randomFillSync(new Uint8Array(count));
}

/** One block under AES: the primitive under CFB. */
export function encryptBlock(key: Bytes, block: Uint8Array): Bytes {
  const cipher = createCipheriv(`aes-${key.length * 8}-ecb`, key, null);
  cipher.setAutoPadding(false);
  const encrypted = Uint8Array.from(cipher.update(block));
  // Without this the platform keeps the cipher, and the key, for good.
  cipher.final();
  return encrypted;
}

/** The curves a TPM key may be on, as JWK and node:crypto call them. */
const CURVES = {
  nist_p256: { name: "P-256", bytes: 32 },
  nist_p384: { name: "P-384", bytes: 48 },
  nist_p521: { name: "P-521", bytes: 66 },
} as const;

function curveOf(
  curve: string,
): { readonly name: string; readonly bytes: number } {
  const known = Object.entries(CURVES).find(([name]) => name === curve)?.[1];
  if (known === undefined) {
    throw new RangeError(`Curve "${curve}" is not supported for this`);
  }
  return known;
}

/** `bytes`, with zeros before them up to `size`. */
function padded(bytes: Uint8Array, size: number): Bytes {
  if (bytes.length > size) {
    throw new RangeError(`A coordinate of ${bytes.length} bytes, not ${size}`);
  }
  const out = new Uint8Array(size);
  out.set(bytes, size - bytes.length);
  return out;
}

function base64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

function fromBase64url(text: string): Bytes {
  return Uint8Array.fromBase64(text, { alphabet: "base64url" });
}

/** The bytes of a public exponent; TPMs write the usual 65537 as zero. */
function exponentBytes(exponent: number): Uint8Array {
  const value = exponent === 0 ? 65537 : exponent;
  return Uint8Array.fromHex(value.toString(16).padStart(8, "0"));
}

function jwkOf(area: TpmtPublic): JsonWebKey {
  if (area.type === "rsa") {
    return {
      kty: "RSA",
      n: base64url(area.unique),
      e: base64url(exponentBytes(area.parameters.exponent)),
    };
  }
  if (area.type === "ecc") {
    const { name, bytes } = curveOf(area.parameters.curveID);
    return {
      kty: "EC",
      crv: name,
      x: base64url(padded(area.unique.x, bytes)),
      y: base64url(padded(area.unique.y, bytes)),
    };
  }
  throw new RangeError(`A ${area.type} object has no public key`);
}

/**
 * The key of `area` as node:crypto has it. Throws RangeError for an area that
 * holds no RSA or NIST-curve key, or one that cannot be: an empty modulus, a
 * point beside the curve.
 */
export function publicKeyOf(area: TpmtPublic): KeyObject {
  const key = jwkOf(area);
  try {
    return createPublicKey({ format: "jwk", key });
  } catch (error) {
    throw new RangeError(`The ${area.type} public area holds no valid key`, {
      cause: error,
    });
  }
}

/** `secret` under RSA-OAEP with `label`, for the RSA key of `area`. */
export function encryptOaep(
  area: TpmtPublic,
  secret: Bytes,
  spec: { readonly hash: TpmHash; readonly label: Uint8Array },
): Bytes {
  return Uint8Array.from(publicEncrypt({
    key: publicKeyOf(area),
    padding: constants.RSA_PKCS1_OAEP_PADDING,
    oaepHash: nodeHash(spec.hash),
    oaepLabel: Buffer.from(spec.label),
  }, secret));
}

/** One side's ECDH: an ephemeral point and the secret shared with `peer`. */
export interface KeyAgreement {
  /** The ephemeral public point. */
  readonly ephemeral: { readonly x: Bytes; readonly y: Bytes };
  /** The x coordinate of the shared point, in full length. */
  readonly z: Bytes;
}

/** Agrees on a secret with the holder of the key of `area`. */
export function agreeOnSecret(
  area: Extract<TpmtPublic, { readonly type: "ecc" }>,
): KeyAgreement {
  const peer = publicKeyOf(area);
  const { privateKey, publicKey } = generateKeyPairSync("ec", {
    namedCurve: curveOf(area.parameters.curveID).name,
  });
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  return {
    ephemeral: { x: fromBase64url(x), y: fromBase64url(y) },
    z: Uint8Array.from(diffieHellman({ privateKey, publicKey: peer })),
  };
}
