import assert from "node:assert/strict";
import { loadConfig } from "../../config/config.ts";
import { ConfigError } from "../../config/error.ts";
import { isOptionName } from "../../config/options.ts";
import { readSources } from "../../config/sources.ts";
import { type ConfigRoot, configRoot, fixture, MAIN } from "./root.ts";
import environmentCases from "../fixtures/config/environment.json" with {
  type: "json",
};
import expected from "../fixtures/config/expected.json" with { type: "json" };
import dropIn from "../fixtures/config/drop-in/expected.json" with {
  type: "json",
};

async function rootWithFixture(name: string): Promise<ConfigRoot> {
  const root = await configRoot({ [MAIN]: await fixture(name) });
  await Deno.mkdir(`${root.path}/tmp/keylime-x`, { recursive: true });
  return root;
}

/** Asserts that the merged options have the `wanted` values. */
async function assertValues(
  root: ConfigRoot,
  wanted: Readonly<Record<string, unknown>>,
  environment: Record<string, string> = {},
): Promise<void> {
  const { settings } = await readSources(root.inputs(environment));
  for (const [name, value] of Object.entries(wanted)) {
    if (isOptionName(name)) assert.equal(settings[name].value, value, name);
  }
}

for (const [name, { demanded, agent_section }] of Object.entries(expected)) {
  const title = `given ${name} is demanded to: ${demanded.trim()}`;
  if (/^error\b(?! or)/.test(demanded)) {
    Deno.test(title, async () => {
      await using root = await rootWithFixture(name);
      await assert.rejects(loadConfig(root.inputs()), (error) => {
        assert.ok(error instanceof ConfigError);
        assert.match(
          error.message,
          /^Configuration file "\/etc\/keylime\/agent\.conf"/,
        );
        assert.doesNotMatch(error.message, /\n/);
        return true;
      });
    });
  } else {
    Deno.test(title, async () => {
      await using root = await rootWithFixture(name);
      await loadConfig(root.inputs());
      await assertValues(root, agent_section ?? {});
    });
  }
}

Deno.test("given crlf-bom.conf loads as if it had neither", async () => {
  await using root = await rootWithFixture("crlf-bom.conf");
  assert.deepEqual((await loadConfig(root.inputs())).uuid, { kind: "hash_ek" });
});

Deno.test("given bad-no-section.conf and unknown-option.conf cause a warning", async () => {
  const rows = {
    "bad-no-section.conf": /sets "uuid" outside of \[agent\]/,
    "unknown-option.conf": /agent\.conf" sets unknown option "no_such_option"/,
  };
  for (const [name, wanted] of Object.entries(rows)) {
    await using root = await rootWithFixture(name);
    const { warnings } = await loadConfig(root.inputs());
    assert.match(warnings.join("\n"), wanted);
  }
});

Deno.test("given all-changed.conf reaches every part of the configuration", async () => {
  await using root = await rootWithFixture("all-changed.conf");
  const config = await loadConfig(root.inputs());
  assert.equal(config.keylimeDir, "/tmp/keylime-x");
  assert.equal(config.serverKey.password, 'pass "quoted" \\ back');
  assert.deepEqual(config.revocation.actions, [
    "local_action_a",
    "local_action_b",
  ]);
  assert.deepEqual(config.tpm, {
    hashAlg: "sha384",
    encryptionAlg: "ecc256",
    signingAlg: "ecdsa",
    ekHandle: { kind: "persistent", handle: 0x8101_0001 },
    akHandle: undefined,
    ownerPassword: Uint8Array.of(0x00, 0xff, 0x10),
  });
  assert.deepEqual(config.runAs, { user: "user", group: "group" });
});

Deno.test("given rust-keylime-agent.conf causes only the example uuid's warning", async () => {
  await using root = await rootWithFixture("rust-keylime-agent.conf");
  const { warnings } = await loadConfig(root.inputs());
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /"uuid" is the published example/);
});

const DROP_IN_FILES = [
  "agent.conf",
  "agent.conf.d/001-port.conf",
  "agent.conf.d/010-more.conf",
];

async function rootWithDropIns(names: readonly string[]): Promise<ConfigRoot> {
  const root = await configRoot();
  for (const name of names) {
    await root.write(`/etc/keylime/${name}`, await fixture(`drop-in/${name}`));
  }
  return root;
}

Deno.test("given drop-in/ merges to its expected values", async () => {
  await using root = await rootWithDropIns(DROP_IN_FILES);
  await loadConfig(root.inputs());
  await assertValues(root, dropIn);
});

Deno.test("given drop-in/ with README.txt is refused, naming that file", async () => {
  await using root = await rootWithDropIns([
    ...DROP_IN_FILES,
    "agent.conf.d/README.txt",
  ]);
  await assert.rejects(
    loadConfig(root.inputs()),
    /^ConfigError: Configuration file "\/etc\/keylime\/agent\.conf\.d\/README\.txt", line 1: /,
  );
});

for (const { base, env, effective } of environmentCases) {
  const environment = Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, String(value)]),
  );
  const variables = Object.keys(environment).join(", ");
  Deno.test(`given ${base} under ${variables} gives what is expected`, async () => {
    await using root = await rootWithFixture(base);
    if (typeof effective === "string") {
      await assert.rejects(
        loadConfig(root.inputs(environment)),
        new RegExp(`^ConfigError: Environment variable ${variables}: `),
      );
    } else await assertValues(root, effective, environment);
  });
}
