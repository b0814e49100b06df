/**
 * The parts of the agent put together: opened in the order of contract section
 * 2, closed in the reverse.
 *
 * @module
 */

import { Attestation } from "./agent/attestation.ts";
import { type Identity, openIdentity } from "./agent/identity.ts";
import { registerAgent } from "./agent/registrar.ts";
import {
  openPayloadKey,
  openServerIdentity,
  type ServerIdentity,
} from "./agent/server_identity.ts";
import { askForSignOfLife, isSignOfLife } from "./agent/sign_of_life.ts";
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
import { MemoryKeeper } from "./service/memory.ts";
import type { NoticeReceiver } from "./service/notifier.ts";
import { dropPrivileges, idsOf } from "./service/privileges.ts";
import { Status } from "./service/status.ts";
import { Watchdog } from "./service/watchdog.ts";
import { parseTcti, Tpm } from "./tpm/mod.ts";

/** What the agent is started with. */
export interface AgentStart {
  /** Its configuration. */
  readonly config: AgentConfig;
  /** How its TPM is reached, in the syntax of `TCTI`. */
  readonly tcti: string;
  /** The service manager that started it. */
  readonly service: {
    /** What it is told through. */
    readonly notifier: NoticeReceiver;
    /** How long a sign of life holds, in milliseconds, if one is wanted. */
    readonly watchdogMs: number | undefined;
  };
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

/** The TPM, whose answers reach `watchdog` and whose loss aborts `lost`. */
async function openTpm(
  tcti: string,
  { watchdog, lost }: {
    readonly watchdog: Watchdog;
    readonly lost: AbortController;
  },
): Promise<Tpm> {
  return await Tpm.open(parseTcti(tcti), {
    onCommand: (_, refusal) => {
      if (isSignOfLife(refusal)) watchdog.answered();
    },
    // Only a new start brings the keys back, so let the service manager do it.
    onLost: (cause) =>
      lost.abort(new Error("The agent has lost its TPM and ends", { cause })),
  });
}

/** Who the agent is for registrar and verifiers, and for its clients. */
async function openIdentities(
  tpm: Tpm,
  { config, log }: Pick<AgentStart, "config" | "log">,
): Promise<
  AsyncDisposable & {
    readonly identity: Identity;
    readonly server: ServerIdentity;
  }
> {
  // Made while the TPM works on its own keys, and missed only then.
  const makingPayloadKey = openPayloadKey(config);
  makingPayloadKey.catch(() => {});
  await using opened = new AsyncDisposableStack();
  const identity = opened.use(await openIdentity(tpm, config, log));
  const payloadKey = await makingPayloadKey;
  const { uuid } = identity;
  const server = await openServerIdentity(config, { uuid, payloadKey }, log);
  const kept = opened.move();
  return {
    identity,
    server,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
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

/** The agent's answers to verifiers, from its parts. */
function openAttester(
  { config }: AgentStart,
  parts: {
    readonly tpm: Tpm;
    readonly identity: Identity;
    readonly server: ServerIdentity;
    readonly imaList: MeasurementList;
    readonly bootLog: BootLog;
    readonly onQuote: (failure?: unknown) => void;
  },
): Attestation {
  const { tpm, identity, server, imaList, bootLog, onQuote } = parts;
  return new Attestation({
    tpm,
    ak: identity.ak,
    uuid: identity.uuid,
    hash: config.tpm.hashAlg,
    keyType: config.tpm.encryptionAlg,
    scheme: config.tpm.signingAlg,
    payloadPublicKey: server.payloadPublicKey,
    imaList,
    bootLog,
    onQuote,
  });
}

/**
 * Runs the agent until its stop. Throws if it cannot start or go on, and the
 * reason of the stop if that comes before it is registered.
 */
export async function runAgent(start: AgentStart): Promise<void> {
  const { config, tcti, log, service: { notifier, watchdogMs } } = start;
  await using opened = new AsyncDisposableStack();
  const status = opened.use(new Status(notifier));
  const watchdog = opened.use(new Watchdog(notifier, { watchdogMs, log }));
  const memory = opened.use(new MemoryKeeper(log));
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
  const tpm = opened.use(await openTpm(tcti, { watchdog, lost }));
  const stop = AbortSignal.any([start.stop, lost.signal]);
  const { identity, server } = opened.use(
    await openIdentities(tpm, { config, log }),
  );
  const attester = openAttester(start, {
    tpm,
    identity,
    server,
    imaList,
    bootLog,
    onQuote: (failure) => {
      status.quoted(failure);
      memory.worked();
    },
  });
  const receivers = await openReceivers({ ...start, stop }, {
    identity,
    server,
    place,
  });
  opened.use(receivers.revocations);
  opened.use(receivers.keys);
  stop.throwIfAborted();
  const running = await listen(start, server, { attester, ...receivers });
  opened.defer(() => running.close());
  status.ready();
  opened.defer(() => status.stopping());
  watchdog.start(() => askForSignOfLife(tpm, config.tpm.hashAlg));
  await registerAgent(tpm, {
    config,
    identity,
    server,
    log,
    onProgress: (progress) => status.registration(progress),
    signal: stop,
  });
  memory.start();
  if (!stop.aborted) {
    await new Promise((resolve) => stop.addEventListener("abort", resolve));
  }
  lost.signal.throwIfAborted();
}
