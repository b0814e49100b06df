/**
 * The certificate that the agent makes for its own server.
 *
 * @module
 */

import * as asn1 from "asn1js";
import {
  createHash,
  createPublicKey,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import { isIP } from "node:net";
import { UnusableFileError } from "./state_file.ts";

/** Any node of an ASN.1 tree. */
type Node = asn1.Sequence["valueBlock"]["value"][number];

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Twenty years: verifiers pin this very certificate, so replacing it means
 * enrolling the machine again; it should outlast the machine.
 */
const VALIDITY_MS = 20 * 365.25 * DAY_MS;

/** What a certificate says, and the key that it is for. */
export interface SelfSignedOptions {
  /** The agent's id, the common name. */
  readonly uuid: string;
  /** Address or host name that verifiers reach the agent at. */
  readonly contact: string;
  /** RSA, NIST curve or Ed25519 private key. */
  readonly key: KeyObject;
  /** Time of issue; it is valid from the day before, for skewed clocks. */
  readonly now: Date;
}

/**
 * A self-signed TLS server certificate in DER, valid for 20 years. Its names
 * are those of upstream's (contract section 2.4), its form is what RFC 5280
 * and OpenSSL's strict checks ask of an end entity. Throws UnusableFileError
 * for a key that has no signature algorithm here.
 */
export function selfSignedCertificate(
  { uuid, contact, key, now }: SelfSignedOptions,
): Uint8Array<ArrayBuffer> {
  const algorithm = signatureAlgorithm(key);
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  const name = new asn1.Sequence({
    value: [
      new asn1.Set({ value: [sequence(oid("2.5.4.3"), utf8(uuid))] }),
    ],
  });
  const issued = Math.floor(now.getTime() / 1000) * 1000;
  const toBeSigned = sequence(
    tagged(0, [new asn1.Integer({ value: 2 })]),
    new asn1.Integer({ valueHex: serialNumber() }),
    algorithm.identifier,
    name,
    sequence(time(issued - DAY_MS), time(issued + VALIDITY_MS)),
    name,
    asn1.fromBER(spki).result,
    tagged(3, [extensions({ key, spki, contact })]),
  );
  const signature = sign(
    algorithm.digest,
    new Uint8Array(toBeSigned.toBER()),
    key,
  );
  return new Uint8Array(
    sequence(
      toBeSigned,
      algorithm.identifier,
      new asn1.BitString({ valueHex: signature }),
    ).toBER(),
  );
}

interface SignatureAlgorithm {
  readonly identifier: asn1.Sequence;
  /** Undefined where the key type fixes it. */
  readonly digest: string | undefined;
}

/** Digests as strong as the curve: Deno refuses weaker ones on P-521. */
const ECDSA: Readonly<Record<string, readonly [id: string, digest: string]>> = {
  prime256v1: ["1.2.840.10045.4.3.2", "sha256"],
  secp384r1: ["1.2.840.10045.4.3.3", "sha384"],
  secp521r1: ["1.2.840.10045.4.3.4", "sha512"],
};

function signatureAlgorithm(key: KeyObject): SignatureAlgorithm {
  const curve = key.asymmetricKeyDetails?.namedCurve ?? "";
  if (key.asymmetricKeyType === "rsa") {
    const identifier = sequence(oid("1.2.840.113549.1.1.11"), new asn1.Null());
    return { identifier, digest: "sha256" };
  }
  if (key.asymmetricKeyType === "ed25519") {
    return { identifier: sequence(oid("1.3.101.112")), digest: undefined };
  }
  const ecdsa = ECDSA[curve];
  if (key.asymmetricKeyType !== "ec" || ecdsa === undefined) {
    throw new UnusableFileError(
      `No certificate can be made for a key of type ` +
        `${[key.asymmetricKeyType, curve].join(" ").trim()}; set server_key ` +
        "to an RSA, P-256, P-384, P-521 or Ed25519 key, or server_cert to a " +
        "certificate of the key",
    );
  }
  return { identifier: sequence(oid(ecdsa[0])), digest: ecdsa[1] };
}

/** 16 random bytes, positive and of this length whatever the chance. */
function serialNumber(): Uint8Array {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

function extensions(
  { key, spki, contact }: {
    key: KeyObject;
    spki: Uint8Array;
    contact: string;
  },
): asn1.Sequence {
  // RFC 7093: an identifier need not be the SHA-1 of RFC 5280.
  const keyId = createHash("sha256").update(spki).digest().subarray(0, 20);
  // digitalSignature, and for RSA keyEncipherment.
  const keyUsage = key.asymmetricKeyType === "rsa"
    ? new asn1.BitString({ valueHex: Uint8Array.of(0xa0), unusedBits: 5 })
    : new asn1.BitString({ valueHex: Uint8Array.of(0x80), unusedBits: 7 });
  const serverAuth = oid("1.3.6.1.5.5.7.3.1");
  const names = ["localhost", "localhost.domain", "127.0.0.1", "::1", contact];
  return sequence(
    // An empty basicConstraints says: not a CA.
    extension("2.5.29.19", sequence(), { critical: true }),
    extension("2.5.29.15", keyUsage, { critical: true }),
    extension("2.5.29.37", sequence(serverAuth)),
    extension("2.5.29.17", alternativeNames(names)),
    extension("2.5.29.14", new asn1.OctetString({ valueHex: keyId })),
    extension("2.5.29.35", sequence(taggedBytes(0, keyId))),
  );
}

function extension(
  id: string,
  value: Node,
  { critical = false }: { critical?: boolean } = {},
): asn1.Sequence {
  return sequence(
    oid(id),
    ...(critical ? [new asn1.Boolean({ value: true })] : []),
    new asn1.OctetString({ valueHex: value.toBER() }),
  );
}

function alternativeNames(names: readonly string[]): asn1.Sequence {
  const encoded = names.map((name) =>
    isIP(name) === 0
      ? taggedBytes(2, new TextEncoder().encode(name))
      : taggedBytes(7, addressBytes(name))
  );
  const distinct = new Map(
    encoded.map((node) => [new Uint8Array(node.toBER()).toHex(), node]),
  );
  return sequence(...distinct.values());
}

/** The 4 or 16 bytes of an IP address. */
function addressBytes(address: string): Uint8Array {
  if (isIP(address) === 4) return Uint8Array.from(address.split("."), Number);
  // The URL parser writes any IPv6 address as hexadecimal groups and one "::".
  const { hostname } = new URL(`http://[${address}]/`);
  const [head = [], tail = []] = hostname.slice(1, -1).split("::")
    .map((half) => half.split(":").filter((group) => group !== ""));
  const gap = Array<string>(8 - head.length - tail.length).fill("0");
  return Uint8Array.from(
    [...head, ...gap, ...tail]
      .map((group) => parseInt(group, 16))
      .flatMap((group) => [group >>> 8, group & 0xff]),
  );
}

/** RFC 5280 demands UTCTime before the year 2050 and this form after it. */
function time(ms: number): asn1.UTCTime {
  const valueDate = new Date(ms);
  return valueDate.getUTCFullYear() < 2050
    ? new asn1.UTCTime({ valueDate })
    : new asn1.GeneralizedTime({ valueDate });
}

function sequence(...value: Node[]): asn1.Sequence {
  return new asn1.Sequence({ value });
}

function oid(value: string): asn1.ObjectIdentifier {
  return new asn1.ObjectIdentifier({ value });
}

function utf8(value: string): asn1.Utf8String {
  return new asn1.Utf8String({ value });
}

function tagged(tagNumber: number, value: Node[]): asn1.Constructed {
  return new asn1.Constructed({ idBlock: { tagClass: 3, tagNumber }, value });
}

function taggedBytes(tagNumber: number, valueHex: Uint8Array): asn1.Primitive {
  return new asn1.Primitive({ idBlock: { tagClass: 3, tagNumber }, valueHex });
}
