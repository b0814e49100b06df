/**
 * The agent's complete configuration: read from all sources, resolved and
 * checked at once, so that nothing later can fail for a value that was
 * already known to be wrong at start.
 *
 * @module
 */

import type { AgentConfig, KeyFile } from "./agent_config.ts";
import { enabledApiVersions } from "./api_versions.ts";
import { iakIdevidConfig } from "./device_identity.ts";
import { refusal } from "./error.ts";
import { endpoint, registrarConfig } from "./network.ts";
import { OPTIONS } from "./options.ts";
import { whereIs } from "./origin.ts";
import { pathOf, pathsOf } from "./paths.ts";
import { payloadConfig, revocationConfig } from "./payload.ts";
import type { Resolution } from "./resolution.ts";
import type { Setting, Settings } from "./settings.ts";
import { type ConfigInputs, readSources } from "./sources.ts";
import { checkStatus } from "./status.ts";
import { tpmConfig } from "./tpm.ts";
import { uuidSource } from "./uuid.ts";

/**
 * The configuration that `inputs` add up to, frozen. Contract section 1.
 *
 * @throws {ConfigError} for the first thing that the agent must not start
 * with
 */
export async function loadConfig(inputs: ConfigInputs): Promise<AgentConfig> {
  const { settings, warnings, environment } = await readSources(inputs);
  const sentences = [...warnings];
  const resolution: Resolution = {
    settings,
    keylimeDir: await keylimeDir(settings, inputs),
    warn: (sentence) => sentences.push(sentence),
  };
  checkStatus(resolution);
  const config: AgentConfig = {
    keylimeDir: resolution.keylimeDir,
    uuid: uuidSource(resolution),
    listen: endpoint(settings.ip, settings.port),
    contact: endpoint(settings.contact_ip, settings.contact_port),
    registrar: registrarConfig(resolution),
    apiVersions: enabledApiVersions(resolution),
    mtls: mtls(resolution),
    serverKey: keyFile("server_key", resolution),
    serverCertificate: pathOf("server_cert", resolution),
    payloadKey: keyFile("payload_key", resolution),
    tpm: tpmConfig(resolution),
    runAs: runAs(resolution, inputs.uid),
    agentDataPath: pathOf("agent_data_path", resolution),
    imaLogPath: pathOf("ima_ml_path", resolution),
    bootLogPath: pathOf("measuredboot_ml_path", resolution),
    payload: payloadConfig(resolution),
    revocation: await revocationConfig(
      resolution,
      async (setting) => await directoryAt(setting, inputs) !== undefined,
    ),
    iakIdevid: iakIdevidConfig(resolution),
    warnings: sentences,
    environment,
  };
  return frozen(config);
}

/** The working directory; an empty value means the default. */
async function keylimeDir(
  { keylime_dir }: Settings,
  inputs: ConfigInputs,
): Promise<string> {
  const path = keylime_dir.value === ""
    ? OPTIONS.keylime_dir.default
    : keylime_dir.value;
  const resolved = await directoryAt({ ...keylime_dir, value: path }, inputs);
  if (resolved !== undefined) return resolved;
  throw refusal({ ...keylime_dir, value: path }, "an existing directory");
}

async function directoryAt(
  setting: Setting<string>,
  { files }: ConfigInputs,
): Promise<string | undefined> {
  try {
    return await files.directory(setting.value);
  } catch (cause) {
    throw refusal(setting, "a directory that the agent can enter", { cause });
  }
}

/**
 * How clients are told apart from strangers.
 *
 * @throws {ConfigError} when no client could ever be accepted
 */
function mtls(resolution: Resolution): AgentConfig["mtls"] {
  const { enable_agent_mtls, trusted_client_ca } = resolution.settings;
  if (!enable_agent_mtls.value) return { kind: "disabled" };
  const trustedClientCa = pathsOf("trusted_client_ca", resolution);
  if (trustedClientCa.length > 0) return { kind: "mtls", trustedClientCa };
  throw refusal(trusted_client_ca, "at least one CA certificate file");
}

function keyFile(
  name: "server_key" | "payload_key",
  resolution: Resolution,
): KeyFile {
  return {
    path: pathOf(name, resolution),
    password: resolution.settings[`${name}_password`].value,
  };
}

/** Whom to become; only root can, and only root has something to drop. */
function runAs(
  { settings: { run_as }, warn }: Resolution,
  uid: number,
): AgentConfig["runAs"] {
  const parts = run_as.value.split(":");
  const [user, group] = parts;
  const where = `${whereIs(run_as.origin)}: option "run_as"`;
  if (run_as.value === "") {
    if (uid === 0) {
      warn(`${where} is empty, so the agent keeps running as root`);
    }
    return undefined;
  }
  if (parts.length !== 2 || !user || !group) {
    throw refusal(run_as, '"user:group"');
  }
  if (uid === 0) return { user, group };
  if (run_as.origin.kind !== "default") {
    warn(`${where} is ignored, because the agent was not started as root`);
  }
  return undefined;
}

/** `value`, with everything in it, made unchangeable; bytes cannot be. */
function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value)) return value;
  Object.values(value).forEach(frozen);
  return Object.freeze(value);
}
