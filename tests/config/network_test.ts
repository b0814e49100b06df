import assert from "node:assert/strict";
import { loadConfig } from "../../config/config.ts";
import { loadQuietly, refuses, UUID } from "./loading.ts";
import { rootWith } from "./root.ts";

Deno.test("loadConfig() refuses what is no address", async (t) => {
  await refuses(t, [
    ['ip = ""', /option "ip" is ""; accepted: an IPv4 address/],
    ['contact_ip = "a b"', /option "contact_ip" is "a b"; /],
    ['registrar_ip = "256.1.1.1"', /option "registrar_ip" is "256.1.1.1"; /],
    ['registrar_ip = "<REMOTE_IP>"', /is "<REMOTE_IP>", a placeholder that/],
    [
      'enable_revocation_notifications = true\nrevocation_notification_ip = "<REMOTE_IP>"',
      /option "revocation_notification_ip" is "<REMOTE_IP>", a placeholder/,
    ],
  ]);
});

Deno.test("loadConfig() leaves a placeholder alone where nobody looks", async () => {
  await loadQuietly('revocation_notification_ip = "<REMOTE_IP>"');
});

Deno.test("loadConfig() lets a variable replace a placeholder", async () => {
  await using root = await rootWith(UUID, 'registrar_ip = "<REMOTE_IP>"');
  const config = await loadConfig(
    root.inputs({ KEYLIME_AGENT_REGISTRAR_IP: "[::1]" }),
  );
  assert.equal(config.registrar.ip, "::1");
});

Deno.test("loadConfig() turns TLS to the registrar on", async () => {
  const { registrar } = await loadQuietly(
    "registrar_tls_enabled = true",
    "registrar_tls_port = 8991",
    'registrar_tls_ca_cert = "ca.crt"',
  );
  assert.deepEqual(registrar.tls, {
    kind: "tls",
    port: 8991,
    caCertificate: "/var/lib/keylime/ca.crt",
  });
});

Deno.test("loadConfig() refuses a first delay of nothing or beyond the longest", async (t) => {
  await refuses(t, [[
    "exponential_backoff_initial_delay = 0",
    /"exponential_backoff_initial_delay" is 0; accepted: .*1 to /,
  ], [
    "exponential_backoff_initial_delay = 300001",
    /"exponential_backoff_initial_delay" is 300001; accepted: at most .*max_delay" = 300000 \(Built-in default\)$/,
  ]]);
});

Deno.test("loadConfig() enables API versions", async (t) => {
  const rows: [value: string, want: string[], warnings: number][] = [
    ["default", ["2.1", "2.2", "2.3", "2.4", "2.5", "2.6"], 0],
    ["latest", ["2.6"], 0],
    ["2.5, 2.1", ["2.1", "2.5"], 0],
    ["[2.2 2.2]", ["2.2"], 0],
    ["1.0, 2.2, 3.0", ["2.2"], 2],
    ["'2.2', 2.3", ["2.3"], 1],
    ["9.9", ["2.1", "2.2", "2.3", "2.4", "2.5", "2.6"], 2],
    ["2.1,,2.2", ["2.1", "2.2", "2.3", "2.4", "2.5", "2.6"], 1],
    ["", ["2.1", "2.2", "2.3", "2.4", "2.5", "2.6"], 1],
  ];
  for (const [value, want, warnings] of rows) {
    await t.step(value, async () => {
      await using root = await rootWith(UUID, `api_versions = "${value}"`);
      const config = await loadConfig(root.inputs());
      assert.deepEqual(config.apiVersions, want);
      assert.equal(config.warnings.length, warnings);
    });
  }
});
