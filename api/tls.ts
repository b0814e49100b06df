/**
 * What mutual TLS needs, checked before a socket is opened: node:https in Deno
 * 2.9.6 takes anything for a key or certificate and fails at each handshake.
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { UnusableFileError } from "../crypto/state_file.ts";

/** The server's identity, and the CAs whose clients it serves. */
export interface MutualTls {
  /** Private key, PEM without pass phrase. */
  readonly key: string;
  /** Certificate of that key, PEM. */
  readonly certificate: string;
  /** CA certificates, PEM; with none, nobody is served. */
  readonly trustedCa: readonly string[];
}

/**
 * Checks that `tls` can serve clients.
 *
 * @throws {UnusableFileError} if not, naming the option to look at
 */
export function assertUsable(tls: MutualTls): void {
  const { certificate, key } = {
    certificate: parsed(
      "server_cert",
      "PEM certificate",
      () => new X509Certificate(tls.certificate),
    ),
    key: parsed(
      "server_key",
      "PEM private key",
      () => createPrivateKey(tls.key),
    ),
  };
  if (!certificate.checkPrivateKey(key)) {
    throw new UnusableFileError(
      "The server certificate is not of the server key: check options server_cert and server_key, or remove both files to have a new pair made",
    );
  }
  for (const ca of tls.trustedCa) {
    parsed(
      "trusted_client_ca",
      "PEM certificate",
      () => new X509Certificate(ca),
    );
  }
}

function parsed<T>(option: string, what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new UnusableFileError(
      `Option ${option} does not give a usable ${what}`,
      {
        cause,
      },
    );
  }
}
