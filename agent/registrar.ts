/**
 * This agent's registration: what it says and how it proves it.
 *
 * @module
 */

import type { AgentConfig, RegistrarConfig } from "../config/agent_config.ts";
import { decodeCertificates } from "../crypto/pem.ts";
import { UnusableFileError } from "../crypto/state_file.ts";
import type { Log } from "../log/log.ts";
import { encode, type Tpm, TPM2B_PUBLIC } from "../tpm/mod.ts";
import { activate } from "./credential.ts";
import type { Identity } from "./identity.ts";
import { RegistrarClient } from "./registrar_client.ts";
import type { RegistrationData } from "./registrar_dialogue.ts";
import { register, type RegistrationProgress } from "./registration.ts";
import type { ServerIdentity } from "./server_identity.ts";

/** What {@linkcode registerAgent} needs. */
export interface RegisterAgentOptions {
  /** The agent's configuration. */
  readonly config: AgentConfig;
  /** Its keys and id. */
  readonly identity: Identity;
  /** Its server's certificate. */
  readonly server: ServerIdentity;
  /** Where progress and trouble go. */
  readonly log: Log;
  /** Told how each attempt ended. */
  readonly onProgress?: (progress: RegistrationProgress) => void;
  /** Ends the trying. */
  readonly signal: AbortSignal;
}

/**
 * Registers the agent, however long that takes, and unloads the endorsement
 * key, which is needed no more.
 *
 * @throws RegistrationRefusedError when the registrar refuses for good,
 * UnusableFileError if the file with its CA cannot be used
 */
export async function registerAgent(
  tpm: Tpm,
  { config, identity, server, ...options }: RegisterAgentOptions,
): Promise<void> {
  const { uuid, ek, ak } = identity;
  await register({
    client: await clientOf(config.registrar),
    uuid,
    data: registrationData(config, identity, server),
    apiVersions: config.apiVersions,
    backoff: config.registrar.backoff,
    activate: (credential) => activate(tpm, { ek, ak }, { credential, uuid }),
    ...options,
  });
  await ek[Symbol.asyncDispose]();
}

function registrationData(
  { contact }: AgentConfig,
  { ek, ak, ekCertificates }: Identity,
  { tls }: ServerIdentity,
): RegistrationData {
  return {
    aik_tpm: encode(TPM2B_PUBLIC, ak.publicArea).toBase64(),
    ek_tpm: encode(TPM2B_PUBLIC, ek.publicArea).toBase64(),
    ...(ekCertificates === undefined ? {} : { ekcert: ekCertificates }),
    iak_cert: null,
    idevid_cert: null,
    ip: contact.ip,
    mtls_cert: tls?.certificate ?? "disabled",
    port: contact.port,
  };
}

async function clientOf(
  { ip, port, tls }: RegistrarConfig,
): Promise<RegistrarClient> {
  if (tls.kind === "plaintext") return new RegistrarClient({ ip, port });
  const ca = await readAuthorities(tls.caCertificate);
  return new RegistrarClient({ ip, port: tls.port, ca });
}

async function readAuthorities(path: string): Promise<string> {
  try {
    const text = await Deno.readTextFile(path);
    if (decodeCertificates(text).length > 0) return text;
    throw new Error("it holds no PEM certificate");
  } catch (cause) {
    throw new UnusableFileError(
      `Option "registrar_tls_ca_cert" names ${path}, which cannot be used`,
      { cause },
    );
  }
}
