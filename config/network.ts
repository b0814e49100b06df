/**
 * The options of addresses: where the agent listens, what it tells others,
 * and where the registrar is.
 *
 * @module
 */

import type { Endpoint, RegistrarConfig } from "./agent_config.ts";
import { ConfigError, refusal } from "./error.ts";
import { parseHost } from "./hosts.ts";
import { whereIs } from "./origin.ts";
import { pathOf } from "./paths.ts";
import type { Resolution } from "./resolution.ts";
import type { Setting, Settings } from "./settings.ts";

/**
 * The address that `setting` holds, brackets removed.
 *
 * @throws {ConfigError} when it is none, or a placeholder such as SUSE's
 * `<REMOTE_IP>` that nobody filled in
 */
export function hostIn(setting: Setting<string>): string {
  const host = parseHost(setting.value);
  if (host !== undefined) return host;
  throw refusal(setting, "an IPv4 address, an IPv6 address or a host name", {
    why: /^<.*>$/.test(setting.value)
      ? "a placeholder that has to be replaced"
      : undefined,
  });
}

/** An address and its port. */
export function endpoint(
  ip: Setting<string>,
  port: Setting<number>,
): Endpoint {
  return { ip: hostIn(ip), port: port.value };
}

/**
 * The registrar, how to speak to it and how often to try. Contract section 4.
 *
 * @throws {ConfigError} for a bad address and contradicting delays
 */
export function registrarConfig(resolution: Resolution): RegistrarConfig {
  const { settings } = resolution;
  return {
    ...endpoint(settings.registrar_ip, settings.registrar_port),
    tls: settings.registrar_tls_enabled.value
      ? {
        kind: "tls",
        port: settings.registrar_tls_port.value,
        caCertificate: pathOf("registrar_tls_ca_cert", resolution),
      }
      : { kind: "plaintext" },
    backoff: backoff(settings),
  };
}

function backoff(settings: Settings): RegistrarConfig["backoff"] {
  const initial = settings.exponential_backoff_initial_delay;
  const max = settings.exponential_backoff_max_delay;
  if (initial.value > max.value) {
    const accepted = `at most option "${max.option}" = ${max.value}`;
    throw new ConfigError(
      `: option "${initial.option}" is ${initial.value}; ` +
        `accepted: ${accepted} (${whereIs(max.origin)})`,
      { origin: initial.origin, option: initial.option, accepted },
    );
  }
  return {
    initialDelayMs: initial.value,
    maxDelayMs: max.value,
    maxRetries: settings.exponential_backoff_max_retries.value,
  };
}
