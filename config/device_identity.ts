/**
 * The options of the device identity keys, IAK and IDevID. Contract section
 * 3.7.
 *
 * @module
 */

import type {
  IakIdevidConfig,
  IdentityKeyConfig,
  IdentityTemplate,
} from "./agent_config.ts";
import { optionalPathOf } from "./paths.ts";
import { oneOf, type Resolution } from "./resolution.ts";
import type { Setting, Settings } from "./settings.ts";
import { authValue, persistentHandle } from "./tpm.ts";

const FIXED = ["H-1", "H-2", "H-3", "H-4", "H-5"] as const;

/**
 * Whether and how the device's identity is proven.
 *
 * @throws {ConfigError} when it is to be proven with values that are none
 */
export function iakIdevidConfig(resolution: Resolution): IakIdevidConfig {
  const { settings } = resolution;
  if (!settings.enable_iak_idevid.value) return { kind: "disabled" };
  return {
    kind: "enabled",
    template: template(settings),
    iak: identityKey("iak", resolution),
    idevid: identityKey("idevid", resolution),
  };
}

function template(settings: Settings): IdentityTemplate {
  const value = settings.iak_idevid_template.value.trim();
  if (["", "detect", "default"].includes(value)) return { kind: "detect" };
  const id = FIXED.find((each) => each === value);
  if (id !== undefined) return { kind: "fixed", id };
  return {
    kind: "manual",
    asymmetricAlg: oneOf(settings.iak_idevid_asymmetric_alg, ["rsa", "ecc"]),
    nameAlg: oneOf(settings.iak_idevid_name_alg, [
      "sha256",
      "sha384",
      "sha512",
    ]),
  };
}

function identityKey(
  key: "iak" | "idevid",
  resolution: Resolution,
): IdentityKeyConfig {
  const handle = trimmed(resolution.settings[`${key}_handle`]);
  return {
    handle: handle.value === "" ? undefined : persistentHandle(handle),
    password: authValue(trimmed(resolution.settings[`${key}_password`])),
    certificate: optionalPathOf(`${key}_cert`, resolution),
  };
}

/** Blanks around these values never count. */
function trimmed(setting: Setting<string>): Setting<string> {
  return { ...setting, value: setting.value.trim() };
}
