/**
 * The parts of the agent put together: opened in the order of contract section
 * 2, closed in the reverse.
 *
 * @module
 */

import { Attestation } from "./agent/attestation.ts";
import { type Identity, openIdentity } from "./agent/identity.ts";
import { dropPrivileges, idsOf } from "./agent/privileges.ts";
import { registerAgent } from "./agent/registrar.ts";
import {
  openServerIdentity,
  type ServerIdentity,
} from "./agent/server_identity.ts";
import { type AppOptions, createApp } from "./api/app.ts";
import { type RunningServer, startServer } from "./api/server.ts";
import { readTrustedCa } from "./api/trusted_ca.ts";
import type { AgentConfig } from "./config/agent_config.ts";
import { BootLog } from "./ima/boot_log.ts";
import { MeasurementList } from "./ima/measurement_list.ts";
import { describe, type Log } from "./log/log.ts";
import { openSecureMount, type SecurePlace } from "./payload/secure_mount.ts";
import { PayloadService } from "./payload/service.ts";
import { Revocations } from "./revocation/revocation.ts";
import { parseTcti, Tpm } from "./tpm/mod.ts";

/** What the agent is started with. */
export interface AgentStart {
  /** Its configuration. */
  readonly config: AgentConfig;
  /** How its TPM is reached, in the syntax of `TCTI`. */
  readonly tcti: string;
  /** Where it reports. */
  readonly log: Log;
  /** Ends it. */
  readonly stop: AbortSignal;
}

/** The kernel's logs; what is missing is told, and looked for again later. */
async function openLogs(
  config: AgentConfig,
  log: Log,
): Promise<{ imaList: MeasurementList; bootLog: BootLog }> {
  const imaList = await MeasurementList.open(config.imaLogPath, {
    onInvalidUtf8: (from) =>
      log.warn(
        `The IMA list has a file name that is not UTF-8 at or after entry ` +
          `${from}; no verifier can check that entry`,
      ),
  });
  const bootLog = await BootLog.open(config.bootLogPath);
  const tell = (problem: Error | undefined, meaning: string): void => {
    if (problem !== undefined) log.warn(`${meaning}: ${describe(problem)}`);
  };
  tell(
    imaList.problem,
    'No runtime policy can pass without the IMA list (option "ima_ml_path"; ' +
      "kernel command line ima_policy=tcb)",
  );
  tell(
    bootLog.problem,
    "No measured boot policy can pass without the boot log (option " +
      '"measuredboot_ml_path"; UEFI firmware with a TPM 2.0)',
  );
  return { imaList, bootLog };
}

/** The mount for secrets, made the agent's own before it drops root. */
async function openSecretPlace(
  { keylimeDir, payload, runAs }: AgentConfig,
  log: Log,
): Promise<SecurePlace> {
  const [uid, gid] = [Deno.uid() ?? 0, Deno.gid() ?? 0];
  return await openSecureMount({
    path: `${keylimeDir}/secure`,
    size: payload.secureSize,
    owner: runAs === undefined ? { uid, gid } : idsOf(runAs),
    uid,
  }, log);
}

/** What receives shares of payload keys, and revocations. */
async function openReceivers(
  { config, log, stop }: AgentStart,
  { identity, server, place }: {
    readonly identity: Identity;
    readonly server: ServerIdentity;
    readonly place: SecurePlace;
  },
): Promise<{ revocations: Revocations; keys: PayloadService }> {
  const revocations = await Revocations.open({
    config: config.revocation,
    keylimeDir: config.keylimeDir,
    log,
    signal: stop,
  });
  const keys = await PayloadService.open({
    config: config.payload,
    uuid: identity.uuid,
    privateKey: server.payloadKey,
    place,
    onDelivered: () => revocations.reload(),
    log,
  });
  return { revocations, keys };
}

/** The API of these parts, listening. */
async function listen(
  { config, log }: AgentStart,
  server: ServerIdentity,
  parts: Pick<AppOptions, "attester" | "keys" | "revocations">,
): Promise<RunningServer> {
  const running = await startServer({
    app: createApp({ ...parts, apiVersions: config.apiVersions, log }),
    listen: config.listen,
    tls: server.tls === undefined ? { kind: "plaintext" } : {
      kind: "mtls",
      ...server.tls,
      trustedCa: await readTrustedCa(server.trustedClientCa, log),
    },
    log,
  });
  log.info(`Listening on ${config.listen.ip}, port ${running.port}`);
  return running;
}

/**
 * Runs the agent until its stop. Throws if it cannot start or go on, and the
 * reason of the stop if that comes before it is registered.
 */
export async function runAgent(start: AgentStart): Promise<void> {
  const { config, tcti, log } = start;
  await using opened = new AsyncDisposableStack();
  // The kernel lets only root open its logs, so open them before anything.
  const { imaList, bootLog } = await openLogs(config, log);
  opened.use(imaList);
  opened.use(bootLog);
  const place = await openSecretPlace(config, log);
  if (config.runAs !== undefined) dropPrivileges(config.runAs);
  log.info(
    `Starting server with API versions: ${config.apiVersions.join(", ")}`,
  );
  const lost = new AbortController();
  const tpm = opened.use(
    await Tpm.open(parseTcti(tcti), {
      // Only a new start brings the keys back, so let the service manager do it.
      onLost: (cause) =>
        lost.abort(new Error("The agent has lost its TPM and ends", { cause })),
    }),
  );
  const stop = AbortSignal.any([start.stop, lost.signal]);
  const identity = opened.use(await openIdentity(tpm, config, log));
  const { uuid, ak } = identity;
  const server = await openServerIdentity(config, uuid, log);
  const attester = new Attestation({
    tpm,
    ak,
    uuid,
    hash: config.tpm.hashAlg,
    keyType: config.tpm.encryptionAlg,
    scheme: config.tpm.signingAlg,
    payloadPublicKey: server.payloadPublicKey,
    imaList,
    bootLog,
  });
  const receivers = await openReceivers({ ...start, stop }, {
    identity,
    server,
    place,
  });
  opened.use(receivers.revocations);
  opened.use(receivers.keys);
  const running = await listen(start, server, { attester, ...receivers });
  opened.defer(() => running.close());
  await registerAgent(tpm, { config, identity, server, log, signal: stop });
  if (!stop.aborted) {
    await new Promise((resolve) => stop.addEventListener("abort", resolve));
  }
  lost.signal.throwIfAborted();
}
