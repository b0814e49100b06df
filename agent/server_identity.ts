/**
 * The keys and the certificate that the agent shows to its clients (contract
 * section 2.4).
 *
 * @module
 */

import type { KeyObject } from "node:crypto";
import type { AgentConfig } from "../config/agent_config.ts";
import {
  loadOrCreatePayloadKey,
  loadOrCreateServerKey,
  type PrivateKeyFile,
} from "../crypto/key_file.ts";
import {
  loadOrCreateServerCertificate,
  type ServerCertificate,
} from "../crypto/server_certificate.ts";
import { spkiPem } from "../crypto/spki.ts";
import type { Log } from "../log/log.ts";

/** What the agent's server is known by. */
export interface ServerIdentity {
  /** The private half of the payload key. */
  readonly payloadKey: KeyObject;
  /** SubjectPublicKeyInfo of the payload key in PEM: bound into every quote. */
  readonly payloadPublicKey: string;
  /** Key and certificate in PEM; undefined if mutual TLS is off. */
  readonly tls:
    | { readonly key: string; readonly certificate: string }
    | undefined;
  /** Files with the CAs of its clients; empty if mutual TLS is off. */
  readonly trustedClientCa: readonly string[];
}

/** The payload key: loaded, or made if it is missing. */
export function openPayloadKey(
  { payloadKey, serverKey }: AgentConfig,
): Promise<PrivateKeyFile> {
  return loadOrCreatePayloadKey(payloadKey, serverKey);
}

/** Loads what is there besides `payloadKey`, and makes what is missing. */
export async function openServerIdentity(
  config: AgentConfig,
  { uuid, payloadKey }: {
    readonly uuid: string;
    readonly payloadKey: PrivateKeyFile;
  },
  log: Log,
): Promise<ServerIdentity> {
  tellKey(payloadKey, config.payloadKey.path, log);
  const payloadPublicKey = spkiPem(payloadKey.key);
  if (config.mtls.kind === "disabled") {
    log.warn(
      "mTLS disabled: anybody who reaches the agent can ask for quotes, and " +
        "nobody can tell who asks",
    );
    return {
      payloadKey: payloadKey.key,
      payloadPublicKey,
      tls: undefined,
      trustedClientCa: [],
    };
  }
  const serverKey = await loadOrCreateServerKey(config.serverKey);
  tellKey(serverKey, config.serverKey.path, log);
  const certificate = await loadOrCreateServerCertificate({
    path: config.serverCertificate,
    key: serverKey.key,
    uuid,
    contact: config.contact.ip,
    now: new Date(),
  });
  tellCertificate(certificate, config.serverCertificate, log);
  return {
    payloadKey: payloadKey.key,
    payloadPublicKey,
    tls: {
      key: serverKey.key.export({ type: "pkcs8", format: "pem" }).toString(),
      certificate: certificate.pem,
    },
    trustedClientCa: config.mtls.trustedClientCa,
  };
}

function tellKey(file: PrivateKeyFile, path: string, log: Log): void {
  if (file.origin === "generated") log.info(`Generated a new key in ${path}`);
  if (file.origin === "copied") {
    log.info(
      `Took the server's RSA key over as payload key and stored it in ${path}, ` +
        "so that verifiers find the key that they know",
    );
  }
  if (file.isExposed) {
    log.warn(
      `Every user can read the private key ${path}; set its mode to 0600`,
    );
  }
}

function tellCertificate(
  { origin, status, notBefore, notAfter }: ServerCertificate,
  path: string,
  log: Log,
): void {
  if (origin === "generated") log.info(`Generated a certificate in ${path}`);
  if (origin === "renewed") {
    log.warn(
      `The certificate in ${path} had expired and was made anew; agents that ` +
        "are enrolled must be added to the verifier again",
    );
  }
  const until = notAfter.toISOString();
  if (status === "expired") {
    log.error(
      `The certificate in ${path} expired on ${until}: every verifier refuses ` +
        "it. Have its issuer renew it and restart the agent",
    );
  }
  if (status === "expiring") {
    log.warn(
      `The certificate in ${path} expires on ${until}; renew it in time`,
    );
  }
  if (status === "not yet valid") {
    log.warn(
      `The certificate in ${path} is valid from ${notBefore.toISOString()} on; ` +
        "is the clock of this machine right?",
    );
  }
}
