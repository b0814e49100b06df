/**
 * Configuration files of Keylime's control plane. The published wheel carries
 * neither defaults nor templates, so each file here is complete. Options are
 * those of configuration version 2.6, which Keylime 7.14 reads.
 *
 * @module
 */

/** Value of an option: a list becomes a Python literal, as Keylime wants. */
export type OptionValue = string | number | boolean | readonly string[];

/** Options of one section. */
export type Options = Readonly<Record<string, OptionValue>>;

/** Where one control plane lives. */
export interface ControlPlanePlace {
  /** Keylime's work directory (`KEYLIME_DIR`). */
  readonly workDirectory: string;
  /** Directory with the certificates of trusted TPM makers. */
  readonly tpmCertStore: string;
  /** HTTPS, for the tenant and push agents. */
  readonly verifierPort: number;
  /** Plain HTTP, for agents. */
  readonly registrarPort: number;
  /** HTTPS, for the tenant. */
  readonly registrarTlsPort: number;
}

/** Options that a control plane has otherwise than the lab's defaults. */
export interface ConfigOverrides {
  /** Of section `[verifier]`. */
  readonly verifier?: Options;
  /** Of section `[revocations]`, the verifier's second. */
  readonly revocations?: Options;
  /** Of section `[registrar]`. */
  readonly registrar?: Options;
  /** Of section `[tenant]`. */
  readonly tenant?: Options;
}

const VERSION = "2.6";
const LOOPBACK = "127.0.0.1";

const SERVER_TLS: Options = {
  server_key: "default",
  server_key_password: "",
  server_cert: "default",
  cert_subject_alternative_names: "",
  trusted_client_ca: "default",
};

const CLIENT_TLS: Options = {
  client_key: "default",
  client_key_password: "",
  client_cert: "default",
  trusted_server_ca: "default",
};

const SERVICE: Options = {
  version: VERSION,
  ip: LOOPBACK,
  authorization_provider: "simple",
  database_url: "sqlite",
  database_pool_sz_ovfl: "5,10",
  auto_migrate_db: true,
  durable_attestation_import: "",
  max_workers: 1, // one worker, so that deletions are seen at once
};

/** How soon the verifier and the tenant try again, in seconds. */
const RETRYING: Options = {
  exponential_backoff: false,
  retry_interval: 0.5,
  max_retries: 5,
};

/** `verifier.conf`. Polls twice a second and, unlike upstream, retries evenly. */
export function verifierConfig(
  place: ControlPlanePlace,
  overrides: ConfigOverrides = {},
): string {
  return sections({
    verifier: {
      ...SERVICE,
      ...SERVER_TLS,
      ...CLIENT_TLS,
      ...RETRYING,
      uuid: "default",
      port: place.verifierPort,
      registrar_ip: LOOPBACK,
      registrar_port: place.registrarTlsPort,
      tls_dir: "generate",
      enable_agent_mtls: true,
      mode: "pull",
      num_workers: 1,
      quote_interval: 0.5,
      request_timeout: 20,
      max_upload_size: 104857600,
      measured_boot_policy_name: "accept-all",
      measured_boot_imports: [],
      measured_boot_evaluate: "once",
      severity_labels: [
        "info",
        "notice",
        "warning",
        "error",
        "critical",
        "alert",
        "emergency",
      ],
      severity_policy: '[{"event_id": ".*", "severity_label": "emergency"}]',
      ignore_tomtou_errors: false,
      require_allow_list_signatures: false,
      shutdown_drain_timeout: 2,
      ...overrides.verifier,
    },
    revocations: {
      enabled_revocation_notifications: ["agent"],
      zmq_ip: LOOPBACK,
      zmq_port: 8992,
      webhook_url: "",
      ...overrides.revocations,
    },
  });
}

/** `registrar.conf`. */
export function registrarConfig(
  place: ControlPlanePlace,
  overrides: ConfigOverrides = {},
): string {
  return sections({
    registrar: {
      ...SERVICE,
      ...SERVER_TLS,
      port: place.registrarPort,
      tls_port: place.registrarTlsPort,
      tls_dir: "default",
      tpm_identity: "default",
      malformed_cert_action: "warn",
      ...overrides.registrar,
    },
  });
}

/** `tenant.conf`. Accepts ECDSA, too, which upstream's default forgets. */
export function tenantConfig(
  place: ControlPlanePlace,
  overrides: ConfigOverrides = {},
): string {
  return sections({
    tenant: {
      ...CLIENT_TLS,
      ...RETRYING,
      version: VERSION,
      verifier_ip: LOOPBACK,
      verifier_port: place.verifierPort,
      registrar_ip: LOOPBACK,
      registrar_port: place.registrarTlsPort,
      tls_dir: "default",
      enable_agent_mtls: true,
      tpm_cert_store: place.tpmCertStore,
      max_payload_size: 1048576,
      accept_tpm_hash_algs: ["sha512", "sha384", "sha256"],
      accept_tpm_encryption_algs: ["ecc", "rsa"],
      accept_tpm_signing_algs: ["ecschnorr", "rsassa", "ecdsa"],
      request_timeout: 20,
      require_ek_cert: true,
      ek_check_script: "",
      mb_refstate: "",
      ...overrides.tenant,
    },
  });
}

/** `ca.conf`. The password must not be "default": the tenant would ask for it. */
export function caConfig(): string {
  return sections({
    ca: {
      version: VERSION,
      password: "lab",
      cert_country: "US",
      cert_ca_name: "Keylime Certificate Authority",
      cert_state: "MA",
      cert_locality: "Lexington",
      cert_organization: "MITLL",
      cert_org_unit: "53",
      cert_ca_lifetime: 3650,
      cert_lifetime: 365,
      cert_bits: 2048,
      cert_crl_dist: "http://localhost:38080/crl",
    },
  });
}

/** `logging.conf`: all that Keylime itself says, on standard output. */
export function loggingConfig(): string {
  return sections({
    logging: { version: VERSION },
    loggers: { keys: "root,keylime" },
    handlers: { keys: "console" },
    formatters: { keys: "line" },
    logger_root: { level: "WARNING", handlers: "console" },
    logger_keylime: {
      level: "DEBUG",
      qualname: "keylime",
      handlers: "",
    },
    handler_console: {
      class: "StreamHandler",
      level: "DEBUG",
      formatter: "line",
      args: "(sys.stdout,)",
    },
    formatter_line: {
      format:
        "%(asctime)s.%(msecs)03d - %(name)s - %(levelname)s - %(message)s",
      datefmt: "%Y-%m-%d %H:%M:%S",
    },
  });
}

/**
 * Environment variables that override options of one run of `component`,
 * whatever its file says.
 */
export function overridingVariables(
  component: "verifier" | "registrar" | "tenant" | "ca",
  options: Options,
): Record<string, string> {
  const prefix = `KEYLIME_${component.toUpperCase()}_`;
  return Object.fromEntries(
    Object.entries(options).map((
      [name, value],
    ) => [prefix + name.toUpperCase(), written(value)]),
  );
}

function sections(all: Readonly<Record<string, Options>>): string {
  return Object.entries(all).map(([name, options]) => {
    const lines = Object.entries(options)
      .map(([option, value]) => `${option} = ${written(value)}\n`);
    return `[${name}]\n${lines.join("")}\n`;
  }).join("");
}

function written(value: OptionValue): string {
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}
