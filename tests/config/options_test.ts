import assert from "node:assert/strict";
import {
  isOptionName,
  OPTION_NAMES,
  optionOf,
  variableOf,
} from "../../config/options.ts";

/** Every option of contract table 1.4 with its default as configured. */
const CONTRACT: Readonly<Record<string, string | number | boolean>> = {
  version: "2.0",
  api_versions: "default",
  uuid: "d432fbb3-d2f1-4a97-9ef7-75bd81c00000",
  ip: "127.0.0.1",
  port: 9002,
  contact_ip: "127.0.0.1",
  contact_port: 9002,
  registrar_ip: "127.0.0.1",
  registrar_port: 8890,
  registrar_tls_port: 8891,
  registrar_tls_enabled: false,
  registrar_tls_ca_cert: "keylime_dir/cv_ca/cacert.crt",
  enable_agent_mtls: true,
  keylime_dir: "/var/lib/keylime",
  server_key: "keylime_dir/server-private.pem",
  server_cert: "keylime_dir/server-cert.crt",
  server_key_password: "",
  payload_key: "keylime_dir/payload-private.pem",
  payload_key_password: "",
  trusted_client_ca: "keylime_dir/cv_ca/cacert.crt",
  enc_keyname: "derived_tci_key",
  dec_payload_file: "decrypted_payload",
  secure_size: "1m",
  extract_payload_zip: true,
  enable_revocation_notifications: false,
  revocation_notification_ip: "127.0.0.1",
  revocation_notification_port: 8992,
  revocation_cert: "keylime_dir/secure/unzipped/RevocationNotifier-cert.crt",
  revocation_actions: "",
  revocation_actions_dir: "/usr/libexec/keylime",
  allow_payload_revocation_actions: true,
  payload_script: "autorun.sh",
  enable_insecure_payload: false,
  tpm_hash_alg: "sha256",
  tpm_encryption_alg: "rsa",
  tpm_signing_alg: "rsassa",
  ek_handle: "generate",
  tpm_ownerpassword: "",
  enable_iak_idevid: false,
  iak_idevid_template: "H-1",
  iak_idevid_asymmetric_alg: "rsa",
  iak_idevid_name_alg: "sha256",
  iak_handle: "",
  idevid_handle: "",
  iak_password: "",
  idevid_password: "",
  iak_cert: "keylime_dir/iak-cert.crt",
  idevid_cert: "keylime_dir/idevid-cert.crt",
  run_as: "keylime:tss",
  agent_data_path: "keylime_dir/agent_data.json",
  ima_ml_path: "/sys/kernel/security/ima/ascii_runtime_measurements",
  measuredboot_ml_path: "/sys/kernel/security/tpm0/binary_bios_measurements",
  exponential_backoff_initial_delay: 10_000,
  exponential_backoff_max_retries: 5,
  exponential_backoff_max_delay: 300_000,
  attestation_interval_seconds: 60,
  certification_keys_server_identifier: "ak",
  registrar_api_versions: "default",
  uefi_logs_evidence_version: "2.1",
  verifier_url: "https://localhost:8881",
  verifier_tls_ca_cert: "keylime_dir/cv_ca/cacert.crt",
  tls_accept_invalid_certs: false,
  tls_accept_invalid_hostnames: false,
};

/** Options that only this agent has. */
const OWN: Readonly<Record<string, string | number | boolean>> = {
  ak_handle: "",
  payload_script_timeout: 600,
  revocation_action_timeout: 600,
};

Deno.test("OPTIONS has exactly the contract's options and our own", () => {
  assert.deepEqual(
    OPTION_NAMES.toSorted(),
    Object.keys({ ...CONTRACT, ...OWN }).toSorted(),
  );
});

Deno.test("OPTIONS has the contract's defaults", async (t) => {
  for (const name of OPTION_NAMES) {
    await t.step(name, () => {
      const option = optionOf(name);
      const path = option.type === "text" ? option.path : undefined;
      const base = path?.base === "/" ? "" : path?.base;
      const value = path === undefined
        ? option.default
        : `${base}/${path.file}`;
      assert.equal(value, { ...CONTRACT, ...OWN }[name]);
    });
  }
});

Deno.test("OPTIONS marks every password as a secret", () => {
  const secrets = OPTION_NAMES.filter((name) => {
    const option = optionOf(name);
    return option.type === "text" && option.secret;
  });
  assert.deepEqual(
    secrets,
    OPTION_NAMES.filter((name) => name.includes("password")),
  );
});

Deno.test("OPTIONS keeps every port within TCP's range", () => {
  for (const name of OPTION_NAMES.filter((name) => /port$/.test(name))) {
    const option = optionOf(name);
    assert.ok(option.type === "integer");
    assert.deepEqual([option.min, option.max], [1, 65_535]);
  }
});

Deno.test("isOptionName() knows no names of prototypes", () => {
  assert.ok(isOptionName("port"));
  for (const name of ["toString", "__proto__", "constructor", "PORT", ""]) {
    assert.ok(!isOptionName(name));
  }
});

Deno.test("variableOf() is the prefix and the name in upper case", () => {
  assert.equal(variableOf("registrar_ip"), "KEYLIME_AGENT_REGISTRAR_IP");
});
