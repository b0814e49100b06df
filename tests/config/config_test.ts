import assert from "node:assert/strict";
import type { AgentConfig } from "../../config/agent_config.ts";
import { loadConfig } from "../../config/config.ts";
import { load, loadQuietly, refuses, UUID } from "./loading.ts";
import { configRoot, rootWith } from "./root.ts";

const FILE = '^Configuration file "/etc/keylime/agent.conf": ';

Deno.test("loadConfig() without any source gives upstream's defaults", async () => {
  await using root = await configRoot();
  const { warnings, ...config } = await loadConfig(root.inputs());
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /^Built-in default: option "uuid" is the/);
  assert.deepEqual(config, {
    keylimeDir: "/var/lib/keylime",
    uuid: { kind: "literal", value: "d432fbb3-d2f1-4a97-9ef7-75bd81c00000" },
    listen: { ip: "127.0.0.1", port: 9002 },
    contact: { ip: "127.0.0.1", port: 9002 },
    registrar: {
      ip: "127.0.0.1",
      port: 8890,
      tls: { kind: "plaintext" },
      backoff: {
        initialDelayMs: 10_000,
        maxDelayMs: 300_000,
        maxRetries: 5,
      },
    },
    apiVersions: ["2.1", "2.2", "2.3", "2.4", "2.5", "2.6"],
    mtls: {
      kind: "mtls",
      trustedClientCa: ["/var/lib/keylime/cv_ca/cacert.crt"],
    },
    serverKey: { path: "/var/lib/keylime/server-private.pem", password: "" },
    serverCertificate: "/var/lib/keylime/server-cert.crt",
    payloadKey: { path: "/var/lib/keylime/payload-private.pem", password: "" },
    tpm: {
      hashAlg: "sha256",
      encryptionAlg: "rsa2048",
      signingAlg: "rsassa",
      ekHandle: { kind: "generate" },
      akHandle: undefined,
      ownerPassword: new Uint8Array(),
    },
    runAs: { user: "keylime", group: "tss" },
    agentDataPath: "/var/lib/keylime/agent_data.json",
    imaLogPath: "/sys/kernel/security/ima/ascii_runtime_measurements",
    bootLogPath: "/sys/kernel/security/tpm0/binary_bios_measurements",
    payload: {
      deployment: "allowed",
      secureSize: "1m",
      keyName: "derived_tci_key",
      fileName: "decrypted_payload",
      archives: "extract",
      script: "autorun.sh",
      scriptTimeLimitMs: 600_000,
    },
    revocation: {
      notifications: { kind: "rest" },
      certificate:
        "/var/lib/keylime/secure/unzipped/RevocationNotifier-cert.crt",
      actions: [],
      actionsDir: "/usr/libexec/keylime",
      payloadActions: "allowed",
      actionTimeLimitMs: 600_000,
    },
    iakIdevid: { kind: "disabled" },
    environment: [],
  });
});

Deno.test("loadConfig() freezes everything", async () => {
  const config = await loadQuietly('trusted_client_ca = "a b"');
  const open = (value: unknown): boolean =>
    typeof value === "object" && value !== null &&
    !ArrayBuffer.isView(value) &&
    (!Object.isFrozen(value) || Object.values(value).some(open));
  assert.ok(!open(config));
});

Deno.test("loadConfig() resolves the links of keylime_dir", async () => {
  await using root = await rootWith(UUID, 'keylime_dir = "/srv/link"');
  await root.write("/srv/real/file", "");
  await root.link("real", "/srv/link");
  const config = await loadConfig(root.inputs());
  assert.equal(config.keylimeDir, "/srv/real");
  assert.equal(config.agentDataPath, "/srv/real/agent_data.json");
});

Deno.test("loadConfig() takes an empty keylime_dir as the default", async () => {
  assert.equal(
    (await loadQuietly('keylime_dir = ""')).keylimeDir,
    "/var/lib/keylime",
  );
});

Deno.test("loadConfig() refuses a keylime_dir that is no directory", async (t) => {
  await refuses(t, [
    ['keylime_dir = "/none"', new RegExp(`${FILE}.*"/none"; accepted: an ex`)],
    ['keylime_dir = "/etc/keylime/agent.conf"', /an existing directory$/],
  ]);
  await using root = await configRoot();
  await assert.rejects(
    loadConfig(root.inputs({ KEYLIME_DIR: "/none" })),
    /^ConfigError: Environment variable KEYLIME_DIR: option "keylime_dir"/,
  );
});

Deno.test("loadConfig() refuses a keylime_dir it cannot enter", async () => {
  await using root = await rootWith('keylime_dir = "/loop"');
  await root.link("loop", "/loop");
  await assert.rejects(loadConfig(root.inputs()), (error: Error) => {
    assert.match(error.message, /"\/loop"; accepted: a directory that/);
    assert.ok(error.cause instanceof Error);
    return true;
  });
});

Deno.test("loadConfig() completes paths by their rules", async (t) => {
  const rows: [
    options: string,
    of: (config: AgentConfig) => unknown,
    want: unknown,
  ][] = [
    [
      'server_key = "default"',
      (c) => c.serverKey.path,
      "/var/lib/keylime/server-private.pem",
    ],
    [
      'server_key = "tls/k.pem"',
      (c) => c.serverKey.path,
      "/var/lib/keylime/tls/k.pem",
    ],
    ['server_cert = "/etc/c.pem"', (c) => c.serverCertificate, "/etc/c.pem"],
    ['ima_ml_path = "dev/null"', (c) => c.imaLogPath, "/dev/null"],
    ['measuredboot_ml_path = "/dev/null"', (c) => c.bootLogPath, "/dev/null"],
    [
      'trusted_client_ca = "default, rel.crt, /abs.crt"',
      (c) => c.mtls,
      {
        kind: "mtls",
        trustedClientCa: [
          "/var/lib/keylime/cv_ca/cacert.crt",
          "/var/lib/keylime/rel.crt",
          "/abs.crt",
        ],
      },
    ],
  ];
  for (const [options, of, want] of rows) {
    await t.step(options, async () => {
      assert.deepEqual(of(await loadQuietly(options)), want);
    });
  }
});

Deno.test("loadConfig() takes an empty path as the default, with a warning", async () => {
  await using root = await rootWith(
    UUID,
    'payload_key = ""',
    'trusted_client_ca = ""',
    'iak_cert = ""',
  );
  const config = await loadConfig(root.inputs());
  assert.equal(config.payloadKey.path, "/var/lib/keylime/payload-private.pem");
  assert.deepEqual(config.mtls, {
    kind: "mtls",
    trustedClientCa: ["/var/lib/keylime/cv_ca/cacert.crt"],
  });
  assert.equal(config.warnings.length, 2);
  assert.match(config.warnings.join("\n"), /"trusted_client_ca" is empty/);
  assert.match(config.warnings.join("\n"), /"payload_key" is empty/);
});

Deno.test("loadConfig() refuses lists of CA files that trust nobody", async (t) => {
  await refuses(t, [
    ['trusted_client_ca = "[]"', /is "\[\]"; accepted: at least one CA/],
    ['trusted_client_ca = "a,,b"', /separated by blanks or by commas$/],
    [`trusted_client_ca = "['/a.crt']"`, /without quotes around them$/],
    [`revocation_actions = "'a'"`, /without quotes around them$/],
  ]);
});

Deno.test("loadConfig() needs no CA file without mTLS", async () => {
  const config = await loadQuietly(
    "enable_agent_mtls = false",
    'trusted_client_ca = "[]"',
    'payload_script = ""',
  );
  assert.deepEqual(config.mtls, { kind: "disabled" });
  assert.equal(config.payload.deployment, "refused");
  assert.equal(config.payload.script, undefined);
});

Deno.test("loadConfig() reads each kind of uuid", async (t) => {
  const rows: [value: string, want: unknown][] = [
    ["generate", { kind: "generate" }],
    ["hash_ek", { kind: "hash_ek" }],
    [
      "{D432FBB3-D2F1-4A97-9EF7-75BD81C00001}",
      { kind: "literal", value: "d432fbb3-d2f1-4a97-9ef7-75bd81c00001" },
    ],
  ];
  for (const [value, want] of rows) {
    await t.step(value, async () => {
      await using root = await rootWith(`uuid = "${value}"`);
      const config = await loadConfig(root.inputs());
      assert.deepEqual(config.uuid, want);
      assert.deepEqual(config.warnings, []);
    });
  }
  await refuses(t, [
    ['uuid = ""', /option "uuid" is ""; accepted: a UUID, "generate" or/],
    ['uuid = "hostname"', /is "hostname"; /],
  ]);
});

Deno.test("loadConfig() decides whom to become", async (t) => {
  const rows: [line: string, uid: number, want: unknown, warning?: RegExp][] = [
    ["", 0, { user: "keylime", group: "tss" }],
    ["", 1000, undefined],
    ['run_as = "u:g"', 0, { user: "u", group: "g" }],
    ['run_as = "u:g"', 1000, undefined, /not started as root$/],
    ['run_as = ""', 0, undefined, /keeps running as root$/],
    ['run_as = ""', 1000, undefined],
  ];
  for (const [line, uid, want, warning] of rows) {
    await t.step(`${line} as ${uid}`, async () => {
      await using root = await rootWith(UUID, line);
      const config = await loadConfig(root.inputs({}, uid));
      assert.deepEqual(config.runAs, want);
      assert.equal(config.warnings.length, warning === undefined ? 0 : 1);
      assert.match(config.warnings[0] ?? "", warning ?? /^$/);
    });
  }
  await refuses(t, [
    ['run_as = "keylime"', /is "keylime"; accepted: "user:group"$/],
    ['run_as = "a:b:c"', /accepted: "user:group"$/],
    ['run_as = ":tss"', /accepted: "user:group"$/],
  ]);
});

Deno.test("loadConfig() refuses a device identity it would not prove", async (t) => {
  await refuses(t, [[
    "enable_iak_idevid = true",
    new RegExp(
      `${FILE}option "enable_iak_idevid" is true, but proving a device ` +
        "identity is not built yet; accepted: false$",
    ),
  ]]);
});

Deno.test("loadConfig() warns of changed push-mode options", async (t) => {
  const rows: [line: string, wanted: RegExp | undefined][] = [
    [
      "attestation_interval_seconds = 61",
      /only used in push mode, so it is ignored$/,
    ],
    ['verifier_url = "https://v"', /only used in push mode/],
    ["tls_accept_invalid_certs = true", /ignored; this agent always checks/],
    ["tls_accept_invalid_hostnames = true", /ignored; this agent always ch/],
    ["attestation_interval_seconds = 60", undefined],
    ['verifier_url = ""', undefined],
    ['verifier_tls_ca_cert = "default"', undefined],
  ];
  for (const [line, wanted] of rows) {
    await t.step(line, async () => {
      const warnings = (await load(line)).warnings;
      assert.equal(warnings.length, wanted === undefined ? 0 : 1);
      assert.match(warnings[0] ?? "", wanted ?? /^$/);
    });
  }
});
