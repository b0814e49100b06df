/**
 * One dialogue with the registrar: agree on a version, register, prove that
 * the keys are in this TPM (contract section 4).
 *
 * @module
 */

import type { ApiVersion } from "../config/api_versions.ts";
import type { Log } from "../log/log.ts";
import { TpmError } from "../tpm/mod.ts";
import {
  type Credential,
  CredentialError,
  parseCredential,
} from "./credential.ts";
import type { RegistrarAnswer, RegistrarClient } from "./registrar_client.ts";

/** What the registrar is told about this machine. */
export interface RegistrationData {
  /** TPM2B_PUBLIC of the attestation key in Base64. */
  readonly aik_tpm: string;
  /** TPM2B_PUBLIC of the endorsement key in Base64. */
  readonly ek_tpm: string;
  /** The EK certificate and its chain in PEM; absent if there is none. */
  readonly ekcert?: string;
  /** Device identity, which is not built yet. */
  readonly iak_cert: null;
  /** Device identity, which is not built yet. */
  readonly idevid_cert: null;
  /** Where verifier and tenant find the agent. */
  readonly ip: string;
  /** The agent's certificate in PEM, or that there is none. */
  readonly mtls_cert: string;
  /** The agent's port. */
  readonly port: number;
}

/** What a dialogue is about. */
export interface DialogueOptions {
  /** The registrar. */
  readonly client: RegistrarClient;
  /** Agent id. */
  readonly uuid: string;
  /** What is registered. */
  readonly data: RegistrationData;
  /** Versions to speak, ascending. */
  readonly apiVersions: readonly ApiVersion[];
  /** Opens a credential and returns the `auth_tag`. */
  readonly activate: (credential: Credential) => Promise<string>;
  /** Where progress goes. */
  readonly log: Log;
  /** Ends the waiting for answers. */
  readonly signal: AbortSignal;
}

/** A refusal that trying again cannot heal. */
export class RegistrationRefusedError extends Error {
  /** The class's name, also after bundling. */
  override readonly name: string = "RegistrationRefusedError";
}

/** The registrar knows this agent's id as another machine's. */
export class IdentityRefusedError extends RegistrationRefusedError {
  /** The class's name, also after bundling. */
  override readonly name = "IdentityRefusedError";
}

/** A failure that may pass. */
export class TransientError extends Error {
  /** The class's name, also after bundling. */
  override readonly name = "TransientError";
  /** How long the registrar asks to wait, in milliseconds, if it does. */
  readonly retryAfterMs: number | undefined;

  /** The failure that `message` tells. */
  constructor(message: string, retryAfterMs?: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * A proof that was not accepted. The registrar then forgets the agent, so the
 * whole dialogue starts again; a second agent with the same id, or a restart
 * in mid-dialogue, looks like that once and then passes.
 */
export class ProofError extends Error {
  /** The class's name, also after bundling. */
  override readonly name = "ProofError";
}

/**
 * Registers with the best version that the registrar takes, and activates.
 *
 * @throws RegistrationRefusedError if it takes none, TransientError or
 * RegistrarUnreachableError if trying again may help, ProofError if it does
 * not accept the proof
 */
export async function runDialogue(options: DialogueOptions): Promise<void> {
  try {
    await talk(options);
  } finally {
    // It need not be kept until the next attempt.
    options.client.hangUp();
  }
}

async function talk(options: DialogueOptions): Promise<void> {
  const { client, log, uuid } = options;
  let refusal = `speaks none of API versions ${
    options.apiVersions.join(", ")
  }; check option "api_versions"`;
  for (const version of await negotiate(options)) {
    const outcome = await registerWith(options, version);
    if (outcome.kind === "registered") {
      log.info(`SUCCESS: Agent ${uuid} registered`);
      await activateWith(options, version, outcome.blob);
      log.info(`SUCCESS: Agent ${uuid} activated`);
      return;
    }
    refusal = outcome.why ?? refusal;
  }
  throw new RegistrationRefusedError(
    `The registrar at ${client.url} ${refusal}`,
  );
}

/** The versions to try, the best first. Contract section 4.2. */
async function negotiate(
  { client, apiVersions, log, signal }: DialogueOptions,
): Promise<readonly ApiVersion[]> {
  log.info(`Requesting registrar API version from ${client.url}`);
  log.debug(`connecting to ${client.peer}`);
  const answer = await client.send({ method: "GET", path: "/version" }, signal);
  requirePatience(answer, "GET /version");
  const newestFirst = [...apiVersions].reverse();
  if (answer.status !== 200) {
    log.warn(
      `The registrar does not tell its API versions (status ${answer.status})`,
    );
    return newestFirst;
  }
  const { current_version: current, supported_versions: supported } =
    answer.results;
  const known = newestFirst.find((version) => version === current);
  if (known !== undefined) return [known];
  if (!Array.isArray(supported)) return [];
  return newestFirst.filter((version) => supported.includes(version));
}

/** What came of trying one version. */
type Outcome =
  | { readonly kind: "registered"; readonly blob: string }
  | { readonly kind: "refused"; readonly why?: string };

/** Registers with `version`. A refusal may hold for this version alone. */
async function registerWith(
  { client, uuid, data, signal }: DialogueOptions,
  version: ApiVersion,
): Promise<Outcome> {
  const path = `/v${version}/agents/${uuid}`;
  const answer = await client.send(
    { method: "POST", path, body: data },
    signal,
  );
  requirePatience(answer, `POST ${path}`);
  const { status, reason } = answer;
  if (status === 403) {
    throw new IdentityRefusedError(
      `The registrar at ${client.url} refuses agent ${uuid}: it knows this id ` +
        "with another TPM, EK certificate or attestation key. If this machine " +
        "is the right one, delete the old record with `keylime_tenant -c " +
        `regdelete -u ${uuid}\`; otherwise give this machine another "uuid" ` +
        `(${reason})`,
    );
  }
  if (status === 404 || status === 405) return { kind: "refused" };
  if (status !== 200) {
    const why = `refuses the registration of agent ${uuid} with status ` +
      `${status} (${reason}); its log says why`;
    return { kind: "refused", why };
  }
  const { blob } = answer.results;
  if (typeof blob !== "string") {
    throw new TransientError("The registrar's answer holds no credential");
  }
  return { kind: "registered", blob };
}

async function activateWith(
  options: DialogueOptions,
  version: ApiVersion,
  blob: string,
): Promise<void> {
  const { client, uuid, signal } = options;
  const path = `/v${version}/agents/${uuid}`;
  const answer = await client.send({
    method: "PUT",
    path,
    body: { auth_tag: await proof(options, blob) },
  }, signal);
  requirePatience(answer, `PUT ${path}`);
  if (answer.status !== 200) {
    throw new ProofError(
      `The registrar refuses the proof with status ${answer.status} (${answer.reason})`,
    );
  }
}

async function proof(
  { activate }: DialogueOptions,
  blob: string,
): Promise<string> {
  try {
    return await activate(parseCredential(blob));
  } catch (error) {
    const isForeign = error instanceof CredentialError ||
      error instanceof TpmError && error.command === "TPM2_ActivateCredential";
    if (!isForeign) throw error;
    throw new ProofError("The registrar's credential cannot be opened", {
      cause: error,
    });
  }
}

/** Throws TransientError if `answer` says: later. */
function requirePatience(answer: RegistrarAnswer, request: string): void {
  const { status, reason, retryAfterMs } = answer;
  if (status >= 500 || status === 408 || status === 429) {
    throw new TransientError(
      `The registrar answered ${request} with status ${status} (${reason})`,
      retryAfterMs,
    );
  }
}
