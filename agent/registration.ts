/**
 * Getting known to the registrar: negotiate a version, register, prove the
 * keys, and do so until it works or cannot work any more (contract section 4).
 *
 * @module
 */

import type { ApiVersion } from "../config/api_versions.ts";
import { describe, type Log } from "../log/log.ts";
import { TpmError } from "../tpm/mod.ts";
import { CredentialError, parseCredential } from "./credential.ts";
import {
  type RegistrarAnswer,
  type RegistrarClient,
  RegistrarUnreachableError,
} from "./registrar_client.ts";

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

/** When a dialogue that failed is tried again. */
export interface Backoff {
  /** First pause in milliseconds. */
  readonly initialDelayMs: number;
  /** Longest pause in milliseconds. */
  readonly maxDelayMs: number;
  /** After how many failures the pause grows no more. */
  readonly maxRetries: number;
}

/** What {@linkcode register} needs. */
export interface RegistrationOptions {
  /** The registrar. */
  readonly client: RegistrarClient;
  /** Agent id. */
  readonly uuid: string;
  /** What is registered. */
  readonly data: RegistrationData;
  /** Versions to speak, ascending. */
  readonly apiVersions: readonly ApiVersion[];
  /** When to try again. */
  readonly backoff: Backoff;
  /** Opens a credential and returns the `auth_tag`. */
  readonly activate: (
    credential: ReturnType<typeof parseCredential>,
  ) => Promise<string>;
  /** Where progress and trouble go. */
  readonly log: Log;
  /** Ends the trying. */
  readonly signal: AbortSignal;
  /** Between 0 and 1; tests replace it. */
  readonly random?: () => number;
}

/** A refusal that trying again cannot heal. */
export class RegistrationRefusedError extends Error {
  /** The class's name, also after bundling. */
  override readonly name = "RegistrationRefusedError";
}

/** A failure that may pass. */
class TransientError extends Error {
  override readonly name = "TransientError";
  readonly retryAfterMs: number | undefined;
  constructor(message: string, retryAfterMs?: number, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * A proof that was not accepted. The registrar then forgets the agent, so the
 * whole dialogue starts again; a second agent with the same id, or a restart
 * in mid-dialogue, looks like that once and then passes.
 */
class ProofError extends Error {
  override readonly name = "ProofError";
}

/** How often a proof may fail before it counts as a refusal. */
const MAX_PROOFS = 3;

/**
 * Registers and activates the agent. Pauses between attempts are capped and
 * spread, so that many machines do not ask a restarted registrar at once.
 *
 * @throws RegistrationRefusedError when the registrar refuses for good
 */
export async function register(options: RegistrationOptions): Promise<void> {
  let failedProofs = 0;
  for (let failures = 0;; failures++) {
    try {
      return await runDialogue(options);
    } catch (error) {
      options.signal.throwIfAborted();
      if (error instanceof ProofError) {
        failedProofs++;
        if (failedProofs === MAX_PROOFS) {
          throw new RegistrationRefusedError(
            `The registrar at ${options.client.url} did not accept ${MAX_PROOFS} ` +
              `proofs that the keys of agent ${options.uuid} are in this TPM`,
            { cause: error },
          );
        }
      } else if (!isTransient(error)) {
        throw error;
      }
      const delayMs = pause(options, failures, error);
      tell(options, { failures, delayMs, error });
      await sleep(delayMs, options.signal);
    }
  }
}

function isTransient(error: unknown): boolean {
  return error instanceof TransientError ||
    error instanceof RegistrarUnreachableError;
}

function tell(
  { log, backoff }: RegistrationOptions,
  { failures, delayMs, error }: {
    readonly failures: number;
    readonly delayMs: number;
    readonly error: unknown;
  },
): void {
  const message = `Registration failed (attempt ${failures + 1}): ${
    describe(error)
  }; trying again in ${(delayMs / 1000).toFixed(1)} s`;
  if (failures < backoff.maxRetries) log.warn(message);
  else log.error(message);
}

/** Full pause in the mean, anywhere from half of it to one and a half. */
function pause(
  { backoff, random = Math.random }: RegistrationOptions,
  failures: number,
  error: unknown,
): number {
  const asked = error instanceof TransientError
    ? error.retryAfterMs
    : undefined;
  const grown = backoff.initialDelayMs *
    2 ** Math.min(failures, backoff.maxRetries);
  const base = Math.min(asked ?? grown, backoff.maxDelayMs);
  return base * (0.5 + random());
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", stop, { once: true });
  });
}

async function runDialogue(options: RegistrationOptions): Promise<void> {
  const { log, uuid } = options;
  const versions = await negotiate(options);
  for (const version of versions) {
    const blob = await registerWith(options, version);
    if (blob === undefined) continue;
    log.info(`SUCCESS: Agent ${uuid} registered`);
    await activateWith(options, version, blob);
    log.info(`SUCCESS: Agent ${uuid} activated`);
    return;
  }
  throw new RegistrationRefusedError(
    `The registrar at ${options.client.url} speaks none of API versions ${
      options.apiVersions.join(", ")
    }; check option "api_versions"`,
  );
}

/** The versions to try, the best first. Contract section 4.2. */
async function negotiate(
  { client, apiVersions, log, signal }: RegistrationOptions,
): Promise<readonly ApiVersion[]> {
  log.info(`Requesting registrar API version from ${client.url}`);
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

/** The challenge, or undefined if the registrar does not speak `version`. */
async function registerWith(
  { client, uuid, data, signal }: RegistrationOptions,
  version: ApiVersion,
): Promise<string | undefined> {
  const path = `/v${version}/agents/${uuid}`;
  const answer = await client.send(
    { method: "POST", path, body: data },
    signal,
  );
  requirePatience(answer, `POST ${path}`);
  if (answer.status === 404 || answer.status === 405) return undefined;
  if (answer.status === 403) {
    throw new RegistrationRefusedError(
      `The registrar at ${client.url} refuses agent ${uuid}: it knows this id ` +
        "with another TPM, EK certificate or attestation key. If this machine " +
        "is the right one, delete the old record with `keylime_tenant -c " +
        `regdelete -u ${uuid}\`; otherwise give this machine another "uuid" ` +
        `(${answer.reason})`,
    );
  }
  if (answer.status !== 200) {
    throw new RegistrationRefusedError(
      `The registrar at ${client.url} refuses the registration of agent ${uuid} ` +
        `with status ${answer.status} (${answer.reason}); its log says why`,
    );
  }
  const { blob } = answer.results;
  if (typeof blob !== "string") {
    throw new TransientError("The registrar's answer holds no credential");
  }
  return blob;
}

async function activateWith(
  options: RegistrationOptions,
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
  { activate }: RegistrationOptions,
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
