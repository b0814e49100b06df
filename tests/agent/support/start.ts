/**
 * A start of the agent up to its first quote, in this process, with a
 * registrar that gives it a credential it can open.
 *
 * @module
 */

import { Attestation } from "../../../agent/attestation.ts";
import { type Identity, openIdentity } from "../../../agent/identity.ts";
import { registerAgent } from "../../../agent/registrar.ts";
import {
  openPayloadKey,
  openServerIdentity,
} from "../../../agent/server_identity.ts";
import { BootLog } from "../../../ima/boot_log.ts";
import { MeasurementList } from "../../../ima/measurement_list.ts";
import type { Tpm } from "../../../tpm/mod.ts";
import { recordingLog } from "../../api/support/attester.ts";
import type { BareTpm } from "./bare_tpm.ts";
import { configIn } from "./configuration.ts";
import { makeCredential } from "./credential.ts";
import { answer, FakeRegistrar } from "./fake_registrar.ts";

/** What a start needs, besides its TPM. */
export interface StartOptions {
  /** The agent's client of the TPM. */
  readonly tpm: Tpm;
  /** Lines of `agent.conf`. */
  readonly options?: readonly string[];
}

/** An agent that has registered. Disposing of it unloads its keys. */
export interface StartedAgent extends AsyncDisposable {
  readonly attester: Attestation;
  readonly identity: Identity;
  /** Its log as `level message`. */
  readonly lines: readonly string[];
  /** Methods and paths of its requests to the registrar. */
  readonly requests: readonly string[];
}

/** Starts the agent whose files and TPM are in `lab`. */
export async function startAgent(
  lab: BareTpm,
  { tpm, options = [] }: StartOptions,
): Promise<StartedAgent> {
  await using opened = new AsyncDisposableStack();
  await using registrar = FakeRegistrar.start({
    POST: [async (): Promise<Response> => {
      const body = registrar.requests.at(-1)?.body ?? "";
      const blob = await makeCredential(lab, { body, secret: "secret" });
      return answer(200, { blob })();
    }],
  });
  const { log, lines } = recordingLog();
  const config = await configIn(
    lab.directory,
    ...['tpm_encryption_alg = "ecc"', 'tpm_signing_alg = "ecdsa"'],
    `registrar_port = ${registrar.port}`,
    ...options,
  );
  const identity = opened.use(await openIdentity(tpm, config, log));
  const server = await openServerIdentity(config, {
    uuid: identity.uuid,
    payloadKey: await openPayloadKey(config),
  }, log);
  const attester = new Attestation({
    tpm,
    ak: identity.ak,
    uuid: identity.uuid,
    hash: config.tpm.hashAlg,
    keyType: config.tpm.encryptionAlg,
    scheme: config.tpm.signingAlg,
    payloadPublicKey: server.payloadPublicKey,
    imaList: opened.use(await MeasurementList.open("/nonexistent/ima")),
    bootLog: opened.use(await BootLog.open("/nonexistent/boot")),
  });
  const signal = new AbortController().signal;
  await registerAgent(tpm, { config, identity, server, log, signal });
  const stack = opened.move();
  return {
    attester,
    identity,
    lines,
    requests: registrar.asked,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
