/**
 * Registering with a registrar that plays a script.
 *
 * @module
 */

import assert from "node:assert/strict";
import { RegistrarClient } from "../../../agent/registrar_client.ts";
import { RegistrationRefusedError } from "../../../agent/registrar_dialogue.ts";
import {
  register,
  type RegistrationOptions,
} from "../../../agent/registration.ts";
import { recordingLog } from "../../api/support/attester.ts";
import { FakeRegistrar, type Script } from "./fake_registrar.ts";

/** The agent that registers. */
export const UUID = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000";
/** Its path at the registrar, after the version. */
export const AGENT = `agents/${UUID}`;
/** Requests up to the credential. */
export const REGISTERED = ["GET /version", `POST /v2.6/${AGENT}`];
/** Requests of a dialogue that works. */
export const DIALOGUE = [...REGISTERED, `PUT /v2.6/${AGENT}`];

/** What is registered. */
export const DATA = {
  aik_tpm: "QUs=",
  ek_tpm: "RUs=",
  ekcert: "-----BEGIN CERTIFICATE-----\n",
  iak_cert: null,
  idevid_cert: null,
  ip: "127.0.0.1",
  mtls_cert: "disabled",
  port: 9002,
};

/** What came of registering with the registrar at `port`. */
export interface Attempt {
  readonly lines: readonly string[];
  readonly error: unknown;
}

/** Registers with the registrar at `port`, with small pauses. */
export async function attempt(
  port: number,
  change: Partial<RegistrationOptions> = {},
): Promise<Attempt> {
  const { log, lines } = recordingLog();
  const error = await register({
    client: new RegistrarClient({ ip: "127.0.0.1", port }),
    uuid: UUID,
    data: DATA,
    apiVersions: ["2.1", "2.2", "2.6"],
    backoff: { initialDelayMs: 1, maxDelayMs: 4, maxRetries: 3 },
    activate: () => Promise.resolve("00ff"),
    log,
    signal: new AbortController().signal,
    random: () => 0,
    ...change,
  }).then(() => undefined, (reason: unknown) => reason);
  return { lines, error };
}

/** The same with a registrar that plays `script`. */
export async function play(
  script: Script,
  change: Partial<RegistrationOptions> = {},
): Promise<Attempt & { readonly asked: readonly string[] }> {
  await using registrar = FakeRegistrar.start(script);
  const result = await attempt(registrar.port, change);
  return { ...result, asked: registrar.asked };
}

/** Asserts that `error` is a final refusal in one line like `want`. */
export function assertRefused(error: unknown, want: RegExp): void {
  assert.ok(error instanceof RegistrationRefusedError, String(error));
  assert.match(error.message, want);
  assert.doesNotMatch(error.message, /\n|\.$/);
}
