import assert from "node:assert/strict";
import { ConfigError } from "../../config/error.ts";
import { OPTION_NAMES, optionOf } from "../../config/options.ts";
import { readSources } from "../../config/sources.ts";
import { type ConfigRoot, configRoot, MAIN, rootWith } from "./root.ts";

const agent = (...lines: string[]): string => `[agent]\n${lines.join("\n")}\n`;

/** Asserts that reading fails in one line that matches each of `wanted`. */
async function refuses(
  root: ConfigRoot,
  wanted: readonly RegExp[],
  environment: Record<string, string> = {},
): Promise<void> {
  await assert.rejects(readSources(root.inputs(environment)), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.doesNotMatch(error.message, /\n/);
    for (const pattern of wanted) assert.match(error.message, pattern);
    return true;
  });
}

Deno.test("readSources() without any source gives the defaults", async () => {
  await using root = await configRoot();
  const { settings, warnings, environment } = await readSources(root.inputs());
  for (const name of OPTION_NAMES) {
    assert.deepEqual(settings[name], {
      option: name,
      value: optionOf(name).default,
      origin: { kind: "default" },
    });
  }
  assert.deepEqual(warnings, []);
  assert.deepEqual(environment, []);
});

Deno.test("readSources() lets each later source win", async () => {
  const layers = [
    "/usr/etc/keylime/agent.conf",
    "/usr/etc/keylime/agent.conf.d/10-a",
    "/usr/etc/keylime/agent.conf.d/9-b",
    "/etc/keylime/agent.conf",
    "/etc/keylime/agent.conf.d/.hidden",
    "/etc/keylime/agent.conf.d/001-port.conf",
    "/etc/keylime/agent.conf.d/010-more.conf",
  ];
  await using root = await configRoot();
  for (const [index, path] of layers.entries()) {
    await root.write(path, agent(`port = ${index + 1}`));
    const { settings } = await readSources(root.inputs());
    assert.deepEqual(settings.port, {
      option: "port",
      value: index + 1,
      origin: { kind: "file", path },
    });
  }
  const { settings } = await readSources(
    root.inputs({ KEYLIME_AGENT_PORT: "99" }),
  );
  assert.deepEqual(settings.port, {
    option: "port",
    value: 99,
    origin: { kind: "environment", variable: "KEYLIME_AGENT_PORT" },
  });
});

Deno.test("readSources() keeps options that a later file leaves out", async () => {
  await using root = await configRoot({
    "/usr/etc/keylime/agent.conf": agent("port = 1", 'ip = "::1"'),
    [MAIN]: agent("port = 2"),
  });
  const { settings } = await readSources(root.inputs());
  assert.equal(settings.port.value, 2);
  assert.equal(settings.ip.value, "::1");
});

Deno.test("readSources() reads only the file of KEYLIME_AGENT_CONFIG", async () => {
  await using root = await configRoot({
    [MAIN]: agent("port = 1", "contact_port = 1"),
    "/only.conf": agent("port = 2"),
  });
  const { settings, environment } = await readSources(root.inputs({
    KEYLIME_AGENT_CONFIG: "/only.conf",
    KEYLIME_AGENT_REGISTRAR_PORT: "3",
  }));
  assert.equal(settings.port.value, 2);
  assert.equal(settings.contact_port.value, 9002);
  assert.equal(settings.registrar_port.value, 3);
  assert.deepEqual(environment, ["Environment configuration registrar_port=3"]);
});

Deno.test("readSources() ignores an empty KEYLIME_AGENT_CONFIG", async () => {
  await using root = await rootWith("port = 1");
  const { settings, warnings } = await readSources(
    root.inputs({ KEYLIME_AGENT_CONFIG: "" }),
  );
  assert.equal(settings.port.value, 1);
  assert.deepEqual(warnings, []);
});

Deno.test("readSources() refuses a missing KEYLIME_AGENT_CONFIG", async () => {
  await using root = await rootWith("port = 1");
  await refuses(root, [/variable KEYLIME_AGENT_CONFIG/, /"\/none"/], {
    KEYLIME_AGENT_CONFIG: "/none",
  });
});

Deno.test("readSources() tries a missing file with .toml appended", async () => {
  await using root = await configRoot({
    [`${MAIN}.toml`]: agent("port = 1"),
  });
  const { settings } = await readSources(root.inputs());
  assert.equal(settings.port.value, 1);
});

Deno.test("readSources() lets KEYLIME_DIR beat every other source", async () => {
  await using root = await rootWith('keylime_dir = "/file"');
  const environment = { KEYLIME_AGENT_KEYLIME_DIR: "/variable" };
  const dir = async (KEYLIME_DIR: string): Promise<string> => {
    const inputs = root.inputs({ ...environment, KEYLIME_DIR });
    return (await readSources(inputs)).settings.keylime_dir.value;
  };
  assert.equal(await dir("/dir"), "/dir");
  assert.equal(await dir(""), "/variable");
});

Deno.test("readSources() skips directories among the drop-ins", async () => {
  await using root = await configRoot({
    "/etc/keylime/agent.conf.d/..data/port.conf": agent("port = 7"),
  });
  await root.link("..data/port.conf", "/etc/keylime/agent.conf.d/port.conf");
  const { settings } = await readSources(root.inputs());
  assert.equal(settings.port.value, 7);
});

Deno.test("readSources() refuses what is there but cannot be read", async (t) => {
  const dropIns = "/etc/keylime/agent.conf.d";
  const rows: [name: string, target: string, path: string][] = [
    ["a file", "agent.conf", MAIN],
    ["a directory", "agent.conf.d", dropIns],
    ["a drop-in", "a.conf", `${dropIns}/a.conf`],
    ["a dangling drop-in", "missing", `${dropIns}/a.conf`],
    ["a device", "/dev/null", MAIN],
    ["a device as drop-in", "/dev/zero", `${dropIns}/a.conf`],
  ];
  for (const [name, target, path] of rows) {
    await t.step(name, async () => {
      await using root = await configRoot();
      // A link to itself is one that even root cannot read.
      await root.link(target, path);
      await refuses(root, [new RegExp(`^Configuration .* "${path}"`)]);
    });
  }
});

Deno.test("readSources() refuses a directory in a file's place", async () => {
  await using root = await configRoot({ [`${MAIN}/file`]: "" });
  await refuses(root, [/agent\.conf" is not a file/]);
});

Deno.test("readSources() refuses invalid TOML, naming file and line", async () => {
  await using root = await rootWith("port = 1", 'uuid = "open');
  await refuses(root, [/"\/etc\/keylime\/agent\.conf", line 3: /]);
});

Deno.test("readSources() shows nothing of a file that is no TOML", async () => {
  await using root = await rootWith(
    'tpm_ownerpassword = "hunter2" # no secret',
    'server_key_password = "hunter2',
  );
  await assert.rejects(readSources(root.inputs()), (error: Error) => {
    assert.doesNotMatch(Deno.inspect(error), /hunter2/);
    return true;
  });
});

Deno.test("readSources() refuses a file that is not UTF-8", async () => {
  await using root = await configRoot({ [MAIN]: Uint8Array.of(0x23, 0xff) });
  await refuses(root, [/agent\.conf" is not UTF-8 text/]);
});

Deno.test("readSources() refuses [agent] that is no table", async () => {
  for (const text of ["agent = 3", "[[agent]]\nport = 1"]) {
    await using root = await configRoot({ [MAIN]: text });
    await refuses(root, [/agent\.conf": "agent" is not a table/]);
  }
});

Deno.test("readSources() refuses values of the wrong type", async (t) => {
  const rows: [line: string, wanted: RegExp][] = [
    ['port = "9002x"', /option "port" is "9002x"; accepted: .*1 to 65535$/],
    ["port = 70000", /option "port" is 70000; /],
    ["port = 0", /option "port" is 0; /],
    ["port = 4294976298", /option "port" is 4294976298; /],
    ["port = 9223372036854775807", /is 9223372036854775807; /],
    ["registrar_tls_port = 65536", /is 65536; /],
    ['port = ""', /is ""; /],
    ['enable_agent_mtls = "maybe"', /is "maybe"; accepted: true or false$/],
    ['trusted_client_ca = ["a"]', /is an array; accepted: text/],
    ["uuid = { a = 1 }", /is a table; /],
    ["uuid = 1979-05-27", /is a date; /],
    ["exponential_backoff_max_retries = -1", /is -1; /],
    ['server_key_password = ["s3cret"]', /has an unusable value; /],
  ];
  for (const [line, wanted] of rows) {
    await t.step(line, async () => {
      await using root = await rootWith(line);
      await refuses(root, [/^Configuration file "\/etc\/keylime\//, wanted]);
    });
  }
});

Deno.test("readSources() checks a file's types even where a variable wins", async () => {
  await using root = await rootWith('port = "x"');
  await refuses(root, [/^Configuration file/], { KEYLIME_AGENT_PORT: "1" });
});

Deno.test("readSources() refuses an empty variable for a number or switch", async () => {
  await using root = await configRoot();
  for (const variable of ["PORT", "ENABLE_AGENT_MTLS"]) {
    const name = `KEYLIME_AGENT_${variable}`;
    await refuses(root, [new RegExp(`^Environment variable ${name}: `)], {
      [name]: "",
    });
  }
});

Deno.test("readSources() escapes values from outside", async () => {
  await using root = await rootWith('port = "1\\nERROR \\u001b[31m"');
  await refuses(root, [/is "1\\nERROR \\u001b\[31m"; /]);
});

Deno.test("readSources() warns of options that nobody reads", async () => {
  await using root = await configRoot({
    [MAIN]: 'uuid = "x"\n[agent]\nno_such = 1\nPort = 2\n[other]\na = 1\n',
  });
  const { settings, warnings } = await readSources(
    root.inputs({ KEYLIME_AGENT_PROT: "1" }),
  );
  const file = 'Configuration file "/etc/keylime/agent.conf"';
  assert.deepEqual(warnings, [
    `${file} sets "uuid", "other" outside of [agent], which is ignored`,
    `${file} sets unknown option "no_such", which is ignored`,
    `${file} sets unknown option "Port", which is ignored`,
    "Environment variable KEYLIME_AGENT_PROT names no option, " +
    "so it is ignored",
  ]);
  assert.equal(settings.port.value, 9002);
});

Deno.test("readSources() warns of a file without [agent]", async () => {
  await using root = await configRoot({ [MAIN]: "# nothing\n" });
  const { warnings } = await readSources(root.inputs());
  assert.deepEqual(warnings, [
    'Configuration file "/etc/keylime/agent.conf" has no [agent] table, ' +
    "so it sets no option",
  ]);
});

Deno.test("readSources() warns of passwords that everybody can read", async (t) => {
  const secret = agent('tpm_ownerpassword = "s3cret"');
  const rows: [name: string, text: string, mode: number, warnings: number][] = [
    ["a world-readable password", secret, 0o644, 1],
    ["a private password", secret, 0o640, 0],
    ["an empty password", agent('tpm_ownerpassword = ""'), 0o644, 0],
    ["no password", agent("port = 1"), 0o644, 0],
  ];
  for (const [name, text, mode, count] of rows) {
    await t.step(name, async () => {
      await using root = await configRoot();
      await root.write(MAIN, text, mode);
      const { warnings } = await readSources(root.inputs());
      assert.equal(warnings.length, count);
      for (const warning of warnings) {
        assert.match(warning, /"tpm_ownerpassword".* 0600$/);
        assert.doesNotMatch(warning, /s3cret/);
      }
    });
  }
});

Deno.test("readSources() lists overriding variables without passwords", async () => {
  await using root = await configRoot();
  const { environment } = await readSources(root.inputs({
    KEYLIME_AGENT_UUID: "hash_ek",
    KEYLIME_AGENT_TPM_OWNERPASSWORD: "s3cret",
    KEYLIME_AGENT_IP: "a\nb",
    KEYLIME_DIR: "/dir",
    PATH: "/bin",
  }));
  assert.deepEqual(environment, [
    "Environment configuration uuid=hash_ek",
    'Environment configuration ip="a\\nb"',
    "Environment configuration tpm_ownerpassword=***",
  ]);
});

Deno.test("readSources() takes no value from an object's prototype", async () => {
  await using root = await rootWith("__proto__ = 1", "constructor = 2");
  const { warnings } = await readSources(root.inputs());
  assert.equal(warnings.length, 2);
});
