import assert from "node:assert/strict";
import { loadConfig } from "../../config/config.ts";
import { load, loadQuietly, refuses, UUID } from "./loading.ts";
import { configRoot, rootWith } from "./root.ts";

Deno.test("loadConfig() refuses payload scripts from strangers", async () => {
  await using root = await configRoot();
  const text =
    "The agent mTLS is disabled and 'payload_script' is not empty. " +
    "To allow the agent to run, 'enable_insecure_payload' has to be set to " +
    "'True'";
  await assert.rejects(
    loadConfig(root.inputs({ KEYLIME_AGENT_ENABLE_AGENT_MTLS: "false" })),
    (error: Error) => {
      assert.match(error.message, /^Environment variable KEYLIME_AGENT_ENA/);
      assert.ok(error.message.endsWith(text));
      return true;
    },
  );
});

Deno.test("loadConfig() allows insecure payloads when asked to", async () => {
  const config = await loadQuietly(
    "enable_agent_mtls = false",
    "enable_insecure_payload = true",
  );
  assert.equal(config.payload.deployment, "allowed");
  assert.equal(config.payload.script, "autorun.sh");
});

Deno.test("loadConfig() reads the options of payloads", async () => {
  const { payload } = await loadQuietly(
    'enc_keyname = "k"',
    'dec_payload_file = "p"',
    'secure_size = "2m"',
    "extract_payload_zip = false",
    'payload_script = "run.sh"',
    "payload_script_timeout = 90",
  );
  assert.deepEqual(payload, {
    deployment: "allowed",
    secureSize: "2m",
    keyName: "k",
    fileName: "p",
    archives: "keep",
    script: "run.sh",
    scriptTimeLimitMs: 90_000,
  });
});

Deno.test("loadConfig() bounds the time limit of payload scripts", async (t) => {
  assert.equal(
    (await loadQuietly("payload_script_timeout = 0")).payload.scriptTimeLimitMs,
    0,
  );
  await refuses(t, [
    ["payload_script_timeout = -1", /from 0 to 2147483$/],
    ["payload_script_timeout = 2147484", /from 0 to 2147483$/],
  ]);
});

Deno.test("loadConfig() refuses payload options that reach elsewhere", async (t) => {
  await refuses(t, [
    ['enc_keyname = "../../key"', /a file name without a directory$/],
    ['dec_payload_file = "/etc/passwd"', /a file name without a directory$/],
    ['dec_payload_file = ".."', /a file name without a directory$/],
    ['secure_size = "1m,exec"', /is "1m,exec"; accepted: a size of tmpfs/],
    ['secure_size = ""', /a size of tmpfs/],
  ]);
});

Deno.test("loadConfig() warns of payload files without a name", async () => {
  const [warning, ...others] = (await load('enc_keyname = ""')).warnings;
  assert.match(warning ?? "", /"enc_keyname" is empty, so every payload will/);
  assert.deepEqual(others, []);
});

Deno.test("loadConfig() reads the options of revocations", async () => {
  const { revocation } = await loadQuietly(
    'revocation_cert = "r.crt"',
    'revocation_actions = "a, b"',
    'revocation_actions_dir = ""',
    'allow_payload_revocation_actions = "no"',
    "revocation_action_timeout = 90",
  );
  assert.deepEqual(revocation, {
    notifications: { kind: "rest" },
    certificate: "/var/lib/keylime/r.crt",
    actions: ["a", "b"],
    actionsDir: undefined,
    payloadActions: "refused",
    actionTimeLimitMs: 90_000,
  });
});

Deno.test("loadConfig() reads where revocations come from over ZeroMQ", async () => {
  await using root = await rootWith(
    UUID,
    "enable_revocation_notifications = true",
    'revocation_notification_ip = "192.0.2.1"',
  );
  await Deno.mkdir(`${root.path}/usr/libexec/keylime`, { recursive: true });
  const { revocation, warnings } = await loadConfig(root.inputs());
  assert.deepEqual(revocation.notifications, {
    kind: "rest_and_zeromq",
    ip: "192.0.2.1",
    port: 8992,
  });
  assert.deepEqual(warnings, []);
});

Deno.test("loadConfig() refuses revocation actions named by a path", async (t) => {
  const wanted = /names of files in "revocation_actions_dir", without a dir/;
  await refuses(t, [
    ['revocation_actions = "/usr/bin/true"', wanted],
    ['revocation_actions = "a, ../b"', wanted],
    ['revocation_actions = ".."', wanted],
  ]);
});

Deno.test("loadConfig() refuses notifications without what they need", async (t) => {
  const on = "enable_revocation_notifications = true\n";
  await refuses(t, [
    [`${on}revocation_cert = ""`, /"revocation_cert" is ""; accepted: a path/],
    [`${on}revocation_actions_dir = ""`, /_dir" is ""; accepted: a path, beca/],
    ['revocation_actions_dir = "rel"', /"rel"; accepted: an absolute path$/],
  ]);
});

Deno.test("loadConfig() warns of notifications without a directory of actions", async () => {
  const { warnings } = await load(
    "enable_revocation_notifications = true",
    'revocation_actions_dir = "/none"',
  );
  assert.equal(warnings.length, 1);
  assert.match(
    warnings[0] ?? "",
    /"revocation_actions_dir" is "\/none", which/,
  );
});
