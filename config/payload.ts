/**
 * The options of payloads and of revocations.
 *
 * @module
 */

import { isAbsolute } from "node:path";
import type { PayloadConfig, RevocationConfig } from "./agent_config.ts";
import { ConfigError, displayed, refusal } from "./error.ts";
import { endpoint } from "./network.ts";
import { whereIs } from "./origin.ts";
import { pathOf } from "./paths.ts";
import { namesIn, type Resolution } from "./resolution.ts";
import type { Setting, Settings } from "./settings.ts";

/**
 * What becomes of payloads. Contract sections 6.2 and 8.4.
 *
 * @throws {ConfigError} when anybody could deliver a payload without being
 * asked who they are
 */
export function payloadConfig(resolution: Resolution): PayloadConfig {
  const { settings } = resolution;
  const script = settings.payload_script.value;
  const deployment = deploymentOf(settings);
  return {
    deployment,
    secureSize: tmpfsSize(settings.secure_size),
    keyName: fileName(settings.enc_keyname, resolution),
    fileName: fileName(settings.dec_payload_file, resolution),
    archives: settings.extract_payload_zip.value ? "extract" : "keep",
    script: script === "" ? undefined : script,
    scriptTimeLimitMs: settings.payload_script_timeout.value * 1_000,
  };
}

function deploymentOf(settings: Settings): PayloadConfig["deployment"] {
  const { enable_agent_mtls, enable_insecure_payload, payload_script } =
    settings;
  if (enable_agent_mtls.value || enable_insecure_payload.value) {
    return "allowed";
  }
  if (payload_script.value === "") return "refused";
  throw new ConfigError(
    `: option "enable_agent_mtls" is ${displayed(enable_agent_mtls)}: ` +
      "The agent mTLS is disabled and 'payload_script' is not empty. To " +
      "allow the agent to run, 'enable_insecure_payload' has to be set to " +
      "'True'",
    { origin: enable_agent_mtls.origin, option: "enable_agent_mtls" },
  );
}

/** The value becomes part of mount options, where a comma starts another. */
function tmpfsSize(setting: Setting<string>): string {
  if (/^\d+[kmgtpe%]?$/i.test(setting.value)) return setting.value;
  throw refusal(setting, 'a size of tmpfs such as "1m" or "512k"');
}

function fileName(setting: Setting<string>, { warn }: Resolution): string {
  const { option, value, origin } = setting;
  if (value.includes("/") || value === "." || value === "..") {
    throw refusal(setting, "a file name without a directory");
  }
  if (value === "") {
    warn(
      `${whereIs(origin)}: option "${option}" is empty, ` +
        "so every payload will fail",
    );
  }
  return value;
}

/**
 * How revocations arrive and what they start. Contract section 9.
 *
 * @param isDirectory whether a setting's path is that of a directory
 * @throws {ConfigError} when notifications are asked for without a
 * certificate or a directory, or an action is not named by its file name
 */
export async function revocationConfig(
  resolution: Resolution,
  isDirectory: (setting: Setting<string>) => Promise<boolean>,
): Promise<RevocationConfig> {
  const { settings } = resolution;
  const actionsDir = settings.revocation_actions_dir;
  if (actionsDir.value !== "" && !isAbsolute(actionsDir.value)) {
    throw refusal(actionsDir, "an absolute path");
  }
  return {
    notifications: settings.enable_revocation_notifications.value
      ? await zeromq(resolution, isDirectory)
      : { kind: "rest" },
    certificate: pathOf("revocation_cert", resolution),
    actions: actionNames(settings.revocation_actions),
    actionsDir: actionsDir.value === "" ? undefined : actionsDir.value,
    payloadActions: settings.allow_payload_revocation_actions.value
      ? "allowed"
      : "refused",
    actionTimeLimitMs: settings.revocation_action_timeout.value * 1_000,
  };
}

/** Names alone, for all actions are in one directory. */
function actionNames(setting: Setting<string>): readonly string[] {
  const names = namesIn(setting);
  if (names.every((name) => !/[/\0]/.test(name) && !/^\.{1,2}$/.test(name))) {
    return names;
  }
  throw refusal(
    setting,
    'names of files in "revocation_actions_dir", without a directory',
  );
}

async function zeromq(
  { settings, warn }: Resolution,
  isDirectory: (setting: Setting<string>) => Promise<boolean>,
): Promise<RevocationConfig["notifications"]> {
  const { revocation_actions_dir, revocation_cert } = settings;
  for (const setting of [revocation_cert, revocation_actions_dir]) {
    if (setting.value === "") {
      throw refusal(
        setting,
        'a path, because option "enable_revocation_notifications" is on',
      );
    }
  }
  // Upstream does not start then; but attestation needs no such directory,
  // and Python Keylime's own default file turns notifications on.
  if (!await isDirectory(revocation_actions_dir)) {
    warn(
      `${whereIs(revocation_actions_dir.origin)}: option ` +
        `"revocation_actions_dir" is ${displayed(revocation_actions_dir)}, ` +
        "which does not exist, so only a payload can bring revocation actions",
    );
  }
  return {
    kind: "rest_and_zeromq",
    ...endpoint(
      settings.revocation_notification_ip,
      settings.revocation_notification_port,
    ),
  };
}
