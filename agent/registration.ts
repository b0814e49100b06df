/**
 * Getting known to the registrar: dialogue after dialogue, until one works or
 * none can work any more (contract section 4.5).
 *
 * @module
 */

import { describe } from "../log/log.ts";
import { type Backoff, pauseAfter } from "./backoff.ts";
import { RegistrarUnreachableError } from "./registrar_client.ts";
import {
  type DialogueOptions,
  ProofError,
  RegistrationRefusedError,
  runDialogue,
  TransientError,
} from "./registrar_dialogue.ts";

/** How the registration goes. */
export type RegistrationProgress =
  /** An attempt failed, and the next one follows after `delayMs` milliseconds. */
  | {
    readonly kind: "failed";
    readonly error: unknown;
    readonly delayMs: number;
  }
  /** The agent is known; `registrar` is `10.0.0.1:8890`. */
  | { readonly kind: "registered"; readonly registrar: string };

/** What {@linkcode register} needs. */
export interface RegistrationOptions extends DialogueOptions {
  /** When to try again. */
  readonly backoff: Backoff;
  /** Told how each attempt ended that is not the end of all trying. */
  readonly onProgress?: (progress: RegistrationProgress) => void;
  /** Between 0 and 1; tests replace it. */
  readonly random?: () => number;
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
      await runDialogue(options);
      break;
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
  const registrar = options.client.peer;
  options.onProgress?.({ kind: "registered", registrar });
}

function isTransient(error: unknown): boolean {
  return error instanceof TransientError ||
    error instanceof RegistrarUnreachableError;
}

function tell(
  { log, backoff, onProgress }: RegistrationOptions,
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
  onProgress?.({ kind: "failed", error, delayMs });
}

function pause(
  { backoff, random = Math.random }: RegistrationOptions,
  before: number,
  error: unknown,
): number {
  const retryAfterMs = error instanceof TransientError
    ? error.retryAfterMs
    : undefined;
  return pauseAfter({ before, retryAfterMs }, backoff, random());
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
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
