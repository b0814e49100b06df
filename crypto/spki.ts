/**
 * Public keys as SubjectPublicKeyInfo in PEM, byte for byte what OpenSSL
 * prints: the verifier hashes this text, so it may never look different.
 *
 * @module
 */

import { createHash, createPublicKey, KeyObject } from "node:crypto";

/** Name of a NIST curve. */
export type Curve = "P-256" | "P-384" | "P-521";

/** Width of a coordinate. */
const COORDINATE_BYTES: Readonly<Record<Curve, number>> = {
  "P-256": 32,
  "P-384": 48,
  "P-521": 66,
};

/** The public half of `key`, or `key` itself if it is public. */
export function spkiPem(key: KeyObject): string {
  const publicKey = key.type === "public" ? key : createPublicKey(key);
  return publicKey.export({ type: "spki", format: "pem" }).toString();
}

/** The RSA key with this big-endian `modulus` and this public `exponent`. */
export function rsaSpkiPem(modulus: Uint8Array, exponent: number): string {
  const e = new Uint8Array(4);
  new DataView(e.buffer).setUint32(0, exponent);
  return spkiPem(createPublicKey({
    format: "jwk",
    key: {
      kty: "RSA",
      n: base64Url(stripped(modulus)),
      e: base64Url(stripped(e)),
    },
  }));
}

/**
 * The key at this point of `curve`. The big-endian coordinates may have lost
 * or gained leading zero bytes. Throws Error when the point is not on the
 * curve.
 */
export function ecSpkiPem(
  curve: Curve,
  { x, y }: { x: Uint8Array; y: Uint8Array },
): string {
  const coordinate = (value: Uint8Array): string =>
    base64Url(padded(stripped(value), COORDINATE_BYTES[curve]));
  try {
    return spkiPem(createPublicKey({
      format: "jwk",
      key: { kty: "EC", crv: curve, x: coordinate(x), y: coordinate(y) },
    }));
  } catch (cause) {
    throw new Error(`The public key is no point of curve ${curve}`, { cause });
  }
}

/**
 * The EK hash, and agent id for `uuid = "hash_ek"`: SHA-256 of the PEM text of
 * the endorsement key in lower-case hex (contract section 3.2).
 */
export function ekHash(pem: string): string {
  return createHash("sha256").update(pem).digest("hex");
}

/** `value` without leading zero bytes: JWK wants none, TPMs give some. */
function stripped(value: Uint8Array): Uint8Array {
  const start = value.findIndex((byte) => byte !== 0);
  return start < 0 ? new Uint8Array() : value.subarray(start);
}

function padded(value: Uint8Array, size: number): Uint8Array {
  const whole = new Uint8Array(Math.max(size, value.length));
  whole.set(value, whole.length - value.length);
  return whole;
}

function base64Url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
