import assert from "node:assert/strict";
import { parse } from "smol-toml";
import { loadConfig } from "../../config/config.ts";
import { ConfigError } from "../../config/error.ts";
import { isOptionName, OPTION_NAMES, optionOf } from "../../config/options.ts";
import { configRoot } from "../config/root.ts";

const DELIVERED = await Deno.readTextFile(
  new URL("../../packaging/agent.conf", import.meta.url),
);

const INSTALLED = "/usr/etc/keylime/agent.conf";

/** What SUSE delivers instead of the built-in default. */
const SUSE: Readonly<Record<string, string>> = {
  uuid: "generate",
  ip: "0.0.0.0",
  registrar_ip: "<REMOTE_IP>",
  revocation_notification_ip: "<REMOTE_IP>",
};

Deno.test("the delivered configuration has every option with its default", () => {
  const { agent, ...others } = parse(DELIVERED);
  assert.deepEqual(others, {});
  assert.ok(typeof agent === "object");
  const wanted = OPTION_NAMES.map((name) =>
    [name, SUSE[name] ?? optionOf(name).default] as const
  );
  const found = Object.entries(agent);
  assert.deepEqual(found.toSorted(), wanted.toSorted());
});

Deno.test("the delivered configuration explains every option", () => {
  for (const paragraph of DELIVERED.split("\n\n")) {
    const [first = "", ...rest] = paragraph.trim().split("\n");
    const options = [first, ...rest].filter((line) => /^\w+ = /.test(line));
    if (options.length === 0) continue;
    assert.match(first, /^# /, `no comment above ${options[0]}`);
  }
});

Deno.test("the delivered configuration names the file of each path", () => {
  for (const name of OPTION_NAMES) {
    const option = optionOf(name);
    if (option.type !== "text" || option.path === undefined) continue;
    if (option.status.kind !== "used") continue;
    assert.ok(DELIVERED.includes(option.path.file), option.path.file);
  }
});

Deno.test("the manual's drop-in is all that the delivered configuration needs", async () => {
  await using root = await configRoot({ [INSTALLED]: DELIVERED });
  await root.write(
    "/etc/keylime/agent.conf.d/agent.conf",
    `[agent]
uuid = "d111ec46-34d8-41af-ad56-d560bc97b2e8"
registrar_ip = "192.0.2.1"
revocation_notification_ip = "192.0.2.1"
`,
  );
  const config = await loadConfig(root.inputs());
  assert.deepEqual(config.warnings, []);
  assert.equal(config.registrar.ip, "192.0.2.1");
  assert.equal(config.listen.ip, "0.0.0.0");
  assert.deepEqual(config.runAs, { user: "keylime", group: "tss" });
});

Deno.test("the delivered configuration as it is says in one line what to set", async () => {
  await using root = await configRoot({ [INSTALLED]: DELIVERED });
  await assert.rejects(loadConfig(root.inputs()), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.doesNotMatch(error.message, /\n/);
    for (const part of [INSTALLED, "registrar_ip", "<REMOTE_IP>", "replaced"]) {
      assert.ok(error.message.includes(part), error.message);
    }
    return true;
  });
});

Deno.test("the delivered configuration has no option that this agent lacks", () => {
  const names = [...DELIVERED.matchAll(/^#? ?(\w+) = /gm)].map(([, n = ""]) =>
    n
  );
  assert.deepEqual(names.filter((name) => !isOptionName(name)), []);
});
