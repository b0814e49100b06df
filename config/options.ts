/**
 * Every option of the agent's configuration, declared once: what is read,
 * coerced, defaulted, reported and documented follows from this table.
 * Contract section 1.4.
 *
 * @module
 */

import {
  type BooleanOption,
  flag,
  integer,
  type IntegerOption,
  type Option,
  password,
  path,
  type PathOption,
  port,
  push,
  text,
  type TextOption,
  unbuilt,
} from "./option.ts";

/** Delays are u64 upstream; beyond this a number is no longer exact. */
const DELAY_MAX = Number.MAX_SAFE_INTEGER;

/** Seconds that a timer can count, which is 24 days. */
const TIMEOUT_MAX = 2_147_483;

const CV_CA = "cv_ca/cacert.crt";

const NO_DEVICE_IDENTITY = "proving a device identity is not built yet";

const DEVICE_IDENTITY = unbuilt("silent", NO_DEVICE_IDENTITY);

/** The options of table `[agent]`, by name, in the order of the manual. */
export const OPTIONS = {
  version: text("2.0", "Version of the file's layout; never checked"),
  uuid: text(
    "d432fbb3-d2f1-4a97-9ef7-75bd81c00000",
    "The agent's identity: a UUID, `generate` (a new one at every start) or `hash_ek` (the SHA-256 of the TPM's public endorsement key)",
  ),
  keylime_dir: text(
    "/var/lib/keylime",
    "Working directory; it must exist. `KEYLIME_DIR` beats every other source",
  ),
  run_as: text(
    "keylime:tss",
    "`user:group` to become once the privileged steps are done",
    { defaultNote: "`keylime:tss` when started as root, else empty" },
  ),
  agent_data_path: path(
    "agent_data.json",
    "File that keeps the attestation key between starts",
  ),

  ip: text("127.0.0.1", "Address or host name to listen on"),
  port: port(9002, "Port to listen on"),
  contact_ip: text(
    "127.0.0.1",
    "Address or host name at which the verifier and the tenant reach the agent",
  ),
  contact_port: port(
    9002,
    "Port at which the verifier and the tenant reach the agent",
  ),
  api_versions: text(
    "default",
    "List of API versions to serve and to offer the registrar; `default` is all, `latest` the newest",
  ),

  registrar_ip: text("127.0.0.1", "Address or host name of the registrar"),
  registrar_port: port(8890, "The registrar's port for plain HTTP"),
  registrar_tls_enabled: flag(
    false,
    "Whether to speak TLS to the registrar",
  ),
  registrar_tls_port: port(8891, "The registrar's port for TLS"),
  registrar_tls_ca_cert: path(
    CV_CA,
    "CA certificate that the registrar's certificate must chain to",
  ),
  exponential_backoff_initial_delay: integer(
    10_000,
    "Milliseconds before a failed registrar request is first repeated; doubled each time",
    { min: 1, max: DELAY_MAX },
  ),
  exponential_backoff_max_retries: integer(
    5,
    "How often a failed registrar request is repeated",
  ),
  exponential_backoff_max_delay: integer(
    300_000,
    "Milliseconds that a repetition is delayed at most",
    { max: DELAY_MAX },
  ),

  enable_agent_mtls: flag(
    true,
    "Whether to serve TLS and demand client certificates",
  ),
  trusted_client_ca: path(
    CV_CA,
    "List of CA certificate files that client certificates must chain to",
  ),
  server_key: path(
    "server-private.pem",
    "The server's private key; generated when missing",
  ),
  server_key_password: password("Pass phrase of `server_key`"),
  server_cert: path(
    "server-cert.crt",
    "The server's certificate; generated when missing",
  ),
  payload_key: path(
    "payload-private.pem",
    "RSA-2048 private key that payload keys are sent to; generated when missing",
  ),
  payload_key_password: password("Pass phrase of `payload_key`"),

  tpm_hash_alg: text(
    "sha256",
    "Hash algorithm of quotes and PCR bank: `sha1`, `sha256`, `sha384` or `sha512`",
  ),
  tpm_encryption_alg: text(
    "rsa",
    "Key type of the endorsement and the attestation key: `rsa` (`rsa2048`) or `ecc` (`ecc256`)",
  ),
  tpm_signing_alg: text(
    "rsassa",
    "Signature scheme of quotes: `rsassa` with an RSA key, `ecdsa` with an ECC key",
  ),
  ek_handle: text(
    "generate",
    "`generate`, or the hexadecimal handle of a persistent endorsement key",
    { alsoDefault: [""] },
  ),
  ak_handle: text(
    "",
    "Hexadecimal handle from `0x81000000` to `0x817fffff` at which the TPM keeps the attestation key, so that a quote takes fewer commands; empty for none",
  ),
  tpm_ownerpassword: password(
    "Password of the TPM's endorsement hierarchy, and of its owner hierarchy for `ak_handle`; `hex:` starts hexadecimal bytes",
  ),

  ima_ml_path: path(
    "sys/kernel/security/ima/ascii_runtime_measurements",
    "The kernel's IMA measurement list",
    { base: "/" },
  ),
  measuredboot_ml_path: path(
    "sys/kernel/security/tpm0/binary_bios_measurements",
    "The firmware's measured boot event log",
    { base: "/" },
  ),

  secure_size: text("1m", "Size of the tmpfs that holds secrets"),
  enc_keyname: text(
    "derived_tci_key",
    "File name for the key that decrypted the payload",
  ),
  dec_payload_file: text(
    "decrypted_payload",
    "File name for the decrypted payload",
  ),
  extract_payload_zip: flag(true, "Whether to unpack a payload that is a zip"),
  payload_script: text(
    "autorun.sh",
    "Script of the payload to run once it is unpacked; empty for none",
  ),
  payload_script_timeout: integer(
    600,
    "Seconds after which `payload_script` is ended; 0 for no limit",
    { max: TIMEOUT_MAX },
  ),
  enable_insecure_payload: flag(
    false,
    "Whether to accept payloads although `enable_agent_mtls` is off",
  ),

  revocation_cert: path(
    "secure/unzipped/RevocationNotifier-cert.crt",
    "Certificate that revocation messages are checked with",
  ),
  revocation_actions: text(
    "",
    "List of executables to run when a revocation arrives",
  ),
  revocation_actions_dir: text(
    "/usr/libexec/keylime",
    "Directory of pre-installed revocation actions",
  ),
  allow_payload_revocation_actions: flag(
    true,
    "Whether actions delivered with the payload may run too",
  ),
  revocation_action_timeout: integer(
    600,
    "Seconds after which a revocation action is ended; 0 for no limit",
    { max: TIMEOUT_MAX },
  ),
  enable_revocation_notifications: flag(
    false,
    "Whether to listen for revocations over ZeroMQ, too",
  ),
  revocation_notification_ip: text(
    "127.0.0.1",
    "Address or host name of the ZeroMQ revocation notifier",
  ),
  revocation_notification_port: port(
    8992,
    "Port of the ZeroMQ revocation notifier",
  ),

  enable_iak_idevid: flag(
    false,
    "Whether to prove the device's identity with its IAK and IDevID keys",
    unbuilt("refuse", NO_DEVICE_IDENTITY),
  ),
  iak_idevid_template: text(
    "H-1",
    "Template of both keys: `detect` (from the certificate), `H-1` to `H-5`, or `manual`",
    { ...DEVICE_IDENTITY, alsoDefault: ["detect", "default", ""] },
  ),
  iak_idevid_asymmetric_alg: text(
    "rsa",
    "Key type for template `manual`: `rsa` or `ecc`",
    DEVICE_IDENTITY,
  ),
  iak_idevid_name_alg: text(
    "sha256",
    "Name algorithm for template `manual`: `sha256`, `sha384` or `sha512`",
    DEVICE_IDENTITY,
  ),
  iak_handle: text("", "Handle of a persistent IAK", DEVICE_IDENTITY),
  iak_password: password("Password of the persistent IAK", DEVICE_IDENTITY),
  iak_cert: path("iak-cert.crt", "Certificate of the IAK; empty for none", {
    ...DEVICE_IDENTITY,
    empty: "none",
  }),
  idevid_handle: text("", "Handle of a persistent IDevID", DEVICE_IDENTITY),
  idevid_password: password(
    "Password of the persistent IDevID",
    DEVICE_IDENTITY,
  ),
  idevid_cert: path(
    "idevid-cert.crt",
    "Certificate of the IDevID; empty for none",
    { ...DEVICE_IDENTITY, empty: "none" },
  ),

  attestation_interval_seconds: integer(
    60,
    "Seconds between two attestations",
    { ...push(), max: DELAY_MAX },
  ),
  certification_keys_server_identifier: text(
    "ak",
    "Name of the attestation key at the verifier",
    push(),
  ),
  registrar_api_versions: text(
    "default",
    "List of API versions to offer the registrar",
    push(),
  ),
  uefi_logs_evidence_version: text(
    "2.1",
    "Version of the measured boot evidence",
    push(),
  ),
  verifier_url: text(
    "https://localhost:8881",
    "Address of the verifier",
    push(),
  ),
  verifier_tls_ca_cert: path(
    CV_CA,
    "CA certificate that the verifier's certificate must chain to",
    push(),
  ),
  tls_accept_invalid_certs: flag(
    false,
    "Whether to accept servers with invalid certificates",
    push("this agent always checks the registrar's certificate"),
  ),
  tls_accept_invalid_hostnames: flag(
    false,
    "Whether to accept servers with certificates for another name",
    push("this agent always checks the registrar's name"),
  ),
} satisfies Record<string, Option>;

/** The name of an option. */
export type OptionName = keyof typeof OPTIONS;

/** The type that an option's value has once it is coerced. */
export type ValueOf<N extends OptionName> = (typeof OPTIONS)[N] extends
  TextOption ? string
  : (typeof OPTIONS)[N] extends IntegerOption ? number
  : (typeof OPTIONS)[N] extends BooleanOption ? boolean
  : never;

/** The name of an option whose value is completed as a path. */
export type PathName = {
  [N in OptionName]: (typeof OPTIONS)[N] extends PathOption ? N : never;
}[OptionName];

/** Whether `name` is the name of an option. */
export function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(OPTIONS, name);
}

/** The names of all options, in the order of the table. */
export const OPTION_NAMES: readonly OptionName[] = Object.keys(OPTIONS).filter(
  isOptionName,
);

/** The declaration of option `name`. */
export function optionOf(name: OptionName): Option {
  return OPTIONS[name];
}

/** The environment variable that overrides option `name`. */
export function variableOf(name: OptionName): string {
  return `KEYLIME_AGENT_${name.toUpperCase()}`;
}
