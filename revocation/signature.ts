/**
 * The verifier's signature over a revocation message (contract section 9.2).
 *
 * @module
 */

import {
  constants,
  type KeyObject,
  verify,
  X509Certificate,
} from "node:crypto";
import { decodeCertificates } from "../crypto/pem.ts";
import { RevocationError } from "./error.ts";

/** What the verifier sends, by REST and by ZeroMQ alike. */
export interface Notification {
  /** JSON text; the signature is over its UTF-8 bytes. */
  readonly msg: string;
  /** Base64; the verifier sends an empty one when it has no key. */
  readonly signature: string;
}

/** The least modulus that still resists, and what Keylime makes. */
const MODULUS_MIN_BITS = 2048;

/** OpenSSL's own limit; larger keys only cost time. */
const MODULUS_MAX_BITS = 16_384;

const SHA256_BYTES = 32;

/**
 * The public key of the first certificate in `pem`. Validity dates, issuer and
 * usage are not looked at: the payload that brings the certificate vouches for
 * it.
 *
 * @throws {RevocationError} when there is none, or none with an RSA key of
 * 2048 bits or more
 */
export function revocationKey(pem: string): KeyObject {
  const key = firstKey(pem);
  const { modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType !== "rsa") {
    throw new RevocationError(
      "certificate",
      `The certificate has a key of type "${key.asymmetricKeyType}", ` +
        "expected RSA",
    );
  }
  if (modulusLength < MODULUS_MIN_BITS || modulusLength > MODULUS_MAX_BITS) {
    throw new RevocationError(
      "certificate",
      `The certificate's RSA key has ${modulusLength} bits, ` +
        `expected ${MODULUS_MIN_BITS} to ${MODULUS_MAX_BITS}`,
    );
  }
  return key;
}

function firstKey(pem: string): KeyObject {
  try {
    const [der] = decodeCertificates(pem);
    if (der === undefined) throw new SyntaxError("No PEM certificate in it");
    return new X509Certificate(der).publicKey;
  } catch (cause) {
    throw new RevocationError("certificate", "It holds no usable certificate", {
      cause,
    });
  }
}

/**
 * Checks that the holder of `key` signed the message: RSA-PSS with SHA-256,
 * MGF1 with SHA-256 and the longest salt that fits.
 *
 * @throws {RevocationError} when not
 */
export function checkSignature(
  key: KeyObject,
  notification: Notification,
): void {
  const signature = decoded(notification.signature);
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  // RFC 8017, EMSA-PSS: the encoded message is one bit shorter than the modulus.
  const encodedLength = Math.ceil((bits - 1) / 8);
  const isGood = verify("sha256", new TextEncoder().encode(notification.msg), {
    key,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: encodedLength - SHA256_BYTES - 2,
  }, signature);
  if (!isGood) {
    throw new RevocationError(
      "signature",
      "The signature is not one by the revocation certificate's key",
    );
  }
}

function decoded(base64: string): Uint8Array {
  if (base64 === "") {
    throw new RevocationError(
      "signature",
      "The message is not signed; the verifier signs when the agent was added with --cert",
    );
  }
  try {
    if (base64.length > MODULUS_MAX_BITS) throw new SyntaxError("Too long");
    return Uint8Array.fromBase64(base64, { lastChunkHandling: "strict" });
  } catch (cause) {
    throw new RevocationError("signature", "The signature is not Base64", {
      cause,
    });
  }
}
