/**
 * `keylime_agent`: reads its configuration, puts the parts together, serves
 * until it is told to stop, and cleans up.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { openIdentity } from "./agent/identity.ts";
import { dropPrivileges, idsOf } from "./agent/privileges.ts";
import { openServerIdentity } from "./agent/server_identity.ts";
import { Attestation } from "./agent/attestation.ts";
import { registerAgent } from "./agent/registrar.ts";
import { createApp } from "./api/app.ts";
import { startServer } from "./api/server.ts";
import { readTrustedCa } from "./api/trusted_ca.ts";
import type { AgentConfig } from "./config/agent_config.ts";
import { loadConfig } from "./config/config.ts";
import { systemFiles } from "./config/files.ts";
import { BootLog } from "./ima/boot_log.ts";
import { MeasurementList } from "./ima/measurement_list.ts";
import { createLog, describe, type Log } from "./log/log.ts";
import { Revocations } from "./revocation/revocation.ts";
import { openSecureMount, type SecurePlace } from "./payload/secure_mount.ts";
import { PayloadService } from "./payload/service.ts";
import { openTransport, parseTcti, Tpm } from "./tpm/mod.ts";
import { VERSION } from "./version.ts";

const USAGE = `Usage: keylime_agent [OPTION]

Keylime agent: attests this machine with its TPM. It takes its configuration
from /usr/etc/keylime/agent.conf and /etc/keylime/agent.conf, their agent.conf.d
directories, and KEYLIME_AGENT_* environment variables.

  -h, --help     print this text
  -V, --version  print the version
`;

/** Prints and ends on an option that is no start; returns for a start. */
function readArguments(args: readonly string[]): void {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        help: { type: "boolean", short: "h" },
        version: { type: "boolean", short: "V" },
      },
    });
    if (values.help) process.stdout.write(USAGE);
    else if (values.version) process.stdout.write(`keylime_agent ${VERSION}\n`);
    else return;
    Deno.exit(0);
  } catch (error) {
    process.stderr.write(`${describe(error)}\n${USAGE}`);
    Deno.exit(2);
  }
}

/** Prints a log line. That nobody can read it must not end the agent. */
function printLine(line: string): void {
  try {
    Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
  } catch {
    // There is nowhere left to tell it.
  }
}

/**
 * Aborts on the first SIGINT or SIGTERM. The next one ends the process at
 * once: a TPM that hangs would keep it from stopping in order.
 */
function stopSignal(): AbortSignal & Disposable {
  const controller = new AbortController();
  const signals = ["SIGINT", "SIGTERM"] as const;
  const forget = (): void => {
    for (const name of signals) Deno.removeSignalListener(name, stop);
  };
  const stop = (): void => {
    forget();
    controller.abort();
  };
  for (const name of signals) Deno.addSignalListener(name, stop);
  return Object.assign(controller.signal, { [Symbol.dispose]: forget });
}

/** Where the TPM is: `TCTI`, else the device that exists. */
async function tcti(): Promise<string> {
  const chosen = Deno.env.get("TCTI");
  if (chosen) return chosen;
  const managed = "/dev/tpmrm0";
  const exists = await Deno.stat(managed).then(() => true, () => false);
  return `device:${exists ? managed : "/dev/tpm0"}`;
}

async function openLogs(
  config: AgentConfig,
  log: Log,
): Promise<{ imaList: MeasurementList; bootLog: BootLog }> {
  const imaList = await MeasurementList.open(config.imaLogPath);
  const bootLog = await BootLog.open(config.bootLogPath);
  for (const { problem } of [imaList, bootLog]) {
    if (problem !== undefined) log.warn(describe(problem));
  }
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

/**
 * Serves until `stop`. Throws if the agent cannot start or go on, and the
 * reason of `stop` if that comes before it is registered.
 */
async function run(
  config: AgentConfig,
  log: Log,
  stop: AbortSignal,
): Promise<void> {
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
    new Tpm(await openTransport(parseTcti(await tcti())), {
      // Only a new start brings the keys back, so let the service manager do it.
      onLost: (cause) =>
        lost.abort(new Error("The agent has lost its TPM and ends", { cause })),
    }),
  );
  const end = AbortSignal.any([stop, lost.signal]);
  const identity = opened.use(await openIdentity(tpm, config, log));
  const server = await openServerIdentity(config, identity.uuid, log);
  const attester = new Attestation({
    tpm,
    ak: identity.ak,
    uuid: identity.uuid,
    hash: config.tpm.hashAlg,
    keyType: config.tpm.encryptionAlg,
    scheme: config.tpm.signingAlg,
    payloadPublicKey: server.payloadPublicKey,
    imaList,
    bootLog,
    log,
  });
  const revocations = opened.use(
    await Revocations.open({
      config: config.revocation,
      keylimeDir: config.keylimeDir,
      log,
      signal: end,
    }),
  );
  const keys = opened.use(
    await PayloadService.open({
      config: config.payload,
      uuid: identity.uuid,
      privateKey: server.payloadKey,
      place,
      onDelivered: () => revocations.reload(),
      log,
    }),
  );
  const running = await startServer({
    app: createApp({
      attester,
      keys,
      revocations,
      apiVersions: config.apiVersions,
      log,
    }),
    listen: config.listen,
    tls: server.tls === undefined ? { kind: "plaintext" } : {
      kind: "mtls",
      ...server.tls,
      trustedCa: await readTrustedCa(server.trustedClientCa, log),
    },
    log,
  });
  opened.defer(() => running.close());
  log.info(`Listening on ${config.listen.ip}, port ${running.port}`);
  await registerAgent(tpm, { config, identity, server, log, signal: end });
  if (!end.aborted) {
    await new Promise((resolve) => end.addEventListener("abort", resolve));
  }
  lost.signal.throwIfAborted();
}

if (import.meta.main) {
  readArguments(Deno.args);
  const log = createLog(Deno.env.get("RUST_LOG"), printLine);
  using stop = stopSignal();
  try {
    const config = await loadConfig({
      environment: Deno.env.toObject(),
      files: systemFiles(),
      uid: Deno.uid() ?? 0,
    });
    config.environment.forEach((line) => log.debug(line));
    config.warnings.forEach((sentence) => log.warn(sentence));
    await run(config, log, stop).catch((error) => {
      if (error !== stop.reason) throw error;
    });
    log.info("Stopped");
  } catch (error) {
    log.error(describe(error));
    process.exitCode = 1;
  }
}
