/**
 * Encrypted PKCS#8 private keys that OpenSSL reads but `node:crypto` under
 * Deno does not: PBES2 (RFC 8018) with PBKDF2 over HMAC-SHA-1, the standard's
 * default, or with triple DES.
 *
 * @module
 */

import {
  fromBER,
  Integer,
  ObjectIdentifier,
  OctetString,
  Sequence,
} from "asn1js";
import { createDecipheriv, pbkdf2Sync } from "node:crypto";

const PBES2 = "1.2.840.113549.1.5.13";
const PBKDF2 = "1.2.840.113549.1.5.12";
const HMAC_SHA1 = "1.2.840.113549.2.7";

/** The digest that each pseudo-random function of PBKDF2 uses. */
const DIGESTS = new Map([
  [HMAC_SHA1, "sha1"],
  ["1.2.840.113549.2.9", "sha256"],
  ["1.2.840.113549.2.10", "sha384"],
  ["1.2.840.113549.2.11", "sha512"],
]);

const CIPHERS = new Map([
  ["1.2.840.113549.3.7", { name: "des-ede3-cbc", keyBytes: 24 }],
  ["2.16.840.1.101.3.4.1.2", { name: "aes-128-cbc", keyBytes: 16 }],
  ["2.16.840.1.101.3.4.1.42", { name: "aes-256-cbc", keyBytes: 32 }],
]);

/**
 * The PKCS#8 PrivateKeyInfo inside `der`, an EncryptedPrivateKeyInfo. Throws
 * Error when it is not encrypted in a known way; a wrong `password` throws too
 * or, rarely, gives bytes that are no key.
 */
export function decryptPbes2(der: Uint8Array, password: string): Uint8Array {
  const [algorithm, data] = items(fromBER(der).result);
  const [scheme, parameters] = items(algorithm);
  if (oid(scheme) !== PBES2) throw unsupported(oid(scheme));
  const [derivation, encryption] = items(parameters);
  const [cipherId, iv] = items(encryption);
  const cipher = CIPHERS.get(oid(cipherId));
  if (cipher === undefined) throw unsupported(oid(cipherId));
  const key = deriveKey(derivation, { password, keyBytes: cipher.keyBytes });
  const decipher = createDecipheriv(cipher.name, key, octets(iv));
  return Uint8Array.from([
    ...decipher.update(octets(data)),
    ...decipher.final(),
  ]);
}

function deriveKey(
  derivation: unknown,
  { password, keyBytes }: { password: string; keyBytes: number },
): Uint8Array {
  const [kdf, parameters] = items(derivation);
  if (oid(kdf) !== PBKDF2) throw unsupported(oid(kdf));
  const [salt, iterations, ...optional] = items(parameters);
  if (!(iterations instanceof Integer)) throw malformed();
  const prf = optional.find((item) => item instanceof Sequence);
  const prfId = prf === undefined ? HMAC_SHA1 : oid(items(prf)[0]);
  const digest = DIGESTS.get(prfId);
  if (digest === undefined) throw unsupported(prfId);
  return pbkdf2Sync(
    password,
    octets(salt),
    iterations.valueBlock.valueDec,
    keyBytes,
    digest,
  );
}

function items(node: unknown): readonly unknown[] {
  if (!(node instanceof Sequence)) throw malformed();
  return node.valueBlock.value;
}

function oid(node: unknown): string {
  if (!(node instanceof ObjectIdentifier)) throw malformed();
  return node.valueBlock.toString();
}

function octets(node: unknown): Uint8Array {
  if (!(node instanceof OctetString)) throw malformed();
  return node.valueBlock.valueHexView;
}

function malformed(): Error {
  return new SyntaxError("Not an encrypted PKCS#8 private key");
}

function unsupported(algorithm: string): Error {
  return new Error(`Unsupported encryption algorithm ${algorithm}`);
}
