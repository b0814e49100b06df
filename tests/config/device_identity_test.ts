import assert from "node:assert/strict";
import type { IakIdevidConfig } from "../../config/agent_config.ts";
import { iakIdevidConfig } from "../../config/device_identity.ts";
import { readSources } from "../../config/sources.ts";
import { rootWith } from "./root.ts";

async function identity(
  ...options: readonly string[]
): Promise<IakIdevidConfig> {
  await using root = await rootWith(...options);
  const { settings } = await readSources(root.inputs());
  const warn = (sentence: string): void => assert.fail(sentence);
  return iakIdevidConfig({ settings, keylimeDir: "/k", warn });
}

const ON = "enable_iak_idevid = true";

Deno.test("iakIdevidConfig() reads nothing while the switch is off", async () => {
  assert.deepEqual(await identity('iak_handle = "none"'), { kind: "disabled" });
});

Deno.test("iakIdevidConfig() takes the defaults", async () => {
  assert.deepEqual(await identity(ON), {
    kind: "enabled",
    template: { kind: "fixed", id: "H-1" },
    iak: {
      handle: undefined,
      password: new Uint8Array(),
      certificate: "/k/iak-cert.crt",
    },
    idevid: {
      handle: undefined,
      password: new Uint8Array(),
      certificate: "/k/idevid-cert.crt",
    },
  });
});

Deno.test("iakIdevidConfig() reads persistent keys, blanks trimmed", async () => {
  const config = await identity(
    ON,
    'iak_handle = " 0x81010002 "',
    'iak_password = " hex:0102 "',
    'iak_cert = ""',
    'idevid_cert = "/d.crt"',
  );
  assert.ok(config.kind === "enabled");
  assert.deepEqual(config.iak, {
    handle: 0x8101_0002,
    password: Uint8Array.of(1, 2),
    certificate: undefined,
  });
  assert.equal(config.idevid.certificate, "/d.crt");
});

Deno.test("iakIdevidConfig() chooses the template", async (t) => {
  const manual = { kind: "manual", asymmetricAlg: "ecc", nameAlg: "sha384" };
  const rows: [value: string, want: unknown][] = [
    ["", { kind: "detect" }],
    [" detect ", { kind: "detect" }],
    ["default", { kind: "detect" }],
    ["H-5", { kind: "fixed", id: "H-5" }],
    ["manual", manual],
    ["H-6", manual],
  ];
  for (const [value, want] of rows) {
    await t.step(JSON.stringify(value), async () => {
      const config = await identity(
        ON,
        `iak_idevid_template = "${value}"`,
        'iak_idevid_asymmetric_alg = "ecc"',
        'iak_idevid_name_alg = "sha384"',
      );
      assert.ok(config.kind === "enabled");
      assert.deepEqual(config.template, want);
    });
  }
});

Deno.test("iakIdevidConfig() refuses unknown algorithms", async () => {
  const manual = 'iak_idevid_template = "manual"';
  await assert.rejects(
    identity(ON, manual, 'iak_idevid_asymmetric_alg = "dsa"'),
    /"iak_idevid_asymmetric_alg" is "dsa"; accepted: "rsa", "ecc"$/,
  );
  await assert.rejects(
    identity(ON, manual, 'iak_idevid_name_alg = "md5"'),
    /"iak_idevid_name_alg" is "md5"; accepted: "sha256", "sha384", "sha512"$/,
  );
});
