/**
 * The certificate of the agent's server over the years: verifiers pin its
 * exact bytes, so it is kept as it is for as long as anyone accepts it.
 *
 * @module
 */

import { type KeyObject, X509Certificate } from "node:crypto";
import { decodeCertificates, encodePem } from "./pem.ts";
import { selfSignedCertificate } from "./self_signed.ts";
import {
  readStateFile,
  UnusableFileError,
  writePublicFile,
} from "./state_file.ts";

/** How long before its end a certificate counts as expiring. */
const WARNING_MS = 90 * 24 * 60 * 60 * 1000;

/** What the certificate must fit, and what a new one says. */
export interface ServerCertificateOptions {
  /** Absolute path of the PEM file. */
  readonly path: string;
  /** The server's private key. */
  readonly key: KeyObject;
  /** The agent's id, common name of a new certificate. */
  readonly uuid: string;
  /** Address or host name for a new certificate, besides localhost. */
  readonly contact: string;
  /** The present time. */
  readonly now: Date;
}

/** The certificate in use, with what an administrator should know of it. */
export interface ServerCertificate {
  /**
   * The leaf alone as OpenSSL prints it: what the server presents and the
   * registrar gets as `mtls_cert`.
   */
  readonly pem: string;
  /** First and last moment of its validity. */
  readonly notBefore: Date;
  /** See {@linkcode ServerCertificate.notBefore}. */
  readonly notAfter: Date;
  /** Read from the file, made for want of one, or made as an expired one's successor. */
  readonly origin: "read" | "generated" | "renewed";
  /**
   * Every verifier refuses an expired or not yet valid one. `expiring` means
   * that at most 90 days are left.
   */
  readonly status: "valid" | "expiring" | "expired" | "not yet valid";
}

/**
 * The certificate at `path`, or a new self-signed one written there with mode
 * 0644 (contract section 2.4). Of the first certificate in the file:
 *
 * - Not of `key`: UnusableFileError, even if self-signed, since a mistyped path must not
 *   cost the certificate that verifiers pin.
 * - Expired, of `key`, self-issued with a common name alone, as every Keylime
 *   agent makes them: replaced, since nobody accepts it any more.
 * - Anything else is kept, also when expired (its issuer must renew it) or not
 *   yet valid (then the clock is wrong), and `status` tells.
 *
 * Throws UnusableFileError, naming the file and what to do, when it cannot be
 * used.
 */
export async function loadOrCreateServerCertificate(
  options: ServerCertificateOptions,
): Promise<ServerCertificate> {
  const existing = await readCertificate(options);
  if (existing !== undefined) {
    const found = describeCertificate(existing, {
      origin: "read",
      now: options.now,
    });
    const isOurs = existing.subject === existing.issuer &&
      /^CN=[^\n]+$/.test(existing.subject);
    if (!isOurs || found.status !== "expired") return found;
  }
  const certificate = new X509Certificate(selfSignedCertificate(options));
  const made = describeCertificate(certificate, {
    origin: existing === undefined ? "generated" : "renewed",
    now: options.now,
  });
  await writePublicFile(options.path, made.pem);
  return made;
}

async function readCertificate(
  { path, key }: ServerCertificateOptions,
): Promise<X509Certificate | undefined> {
  const file = await readStateFile(path);
  if (file === undefined) return undefined;
  const certificate = parseCertificate(file.text, path);
  if (!certificate.checkPrivateKey(key)) {
    throw new UnusableFileError(
      `server_cert ${JSON.stringify(path)} is not a certificate of the key ` +
        "in server_key; set both to files that belong together, or move the " +
        "certificate away to have a new one made",
    );
  }
  return certificate;
}

function parseCertificate(text: string, path: string): X509Certificate {
  try {
    const [leaf] = decodeCertificates(text);
    if (leaf === undefined) throw new SyntaxError("No CERTIFICATE block");
    return new X509Certificate(leaf);
  } catch (cause) {
    throw new UnusableFileError(
      `server_cert ${JSON.stringify(path)} holds no certificate in PEM form; ` +
        "restore it, or move the file away to have a new one made",
      { cause },
    );
  }
}

function describeCertificate(
  certificate: X509Certificate,
  { origin, now }: { origin: ServerCertificate["origin"]; now: Date },
): ServerCertificate {
  const { validFromDate: notBefore, validToDate: notAfter } = certificate;
  const left = notAfter.getTime() - now.getTime();
  return {
    pem: encodePem("CERTIFICATE", certificate.raw),
    notBefore,
    notAfter,
    origin,
    status: now < notBefore
      ? "not yet valid"
      : left < 0
      ? "expired"
      : left <= WARNING_MS
      ? "expiring"
      : "valid",
  };
}
