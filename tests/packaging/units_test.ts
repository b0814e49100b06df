import assert from "node:assert/strict";
import { OPTIONS } from "../../config/options.ts";
import { EXIT_CODE } from "../../exit_code.ts";
import { run } from "../lab/command.ts";
import { must } from "./support/package_file.ts";

const PACKAGING = new URL("../../packaging/", import.meta.url).pathname;
const AGENT = `${PACKAGING}systemd/keylime_agent.service`;

/** In tenths, as `--threshold` has it; from 50 on systemd says "MEDIUM". */
const EXPOSURE_MAX = 30;

/** The values of a setting of the agent's unit. */
async function setting(name: string): Promise<string[]> {
  const text = await Deno.readTextFile(AGENT);
  return [...text.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))]
    .map(([, value = ""]) => value);
}

Deno.test("systemd has nothing to say about the units", async () => {
  const directory = await Deno.makeTempDir();
  try {
    for await (const { name } of Deno.readDir(`${PACKAGING}systemd`)) {
      const unit = await Deno.readTextFile(`${PACKAGING}systemd/${name}`);
      // systemd looks for the executable, which is not installed here.
      const there = unit.replace("/usr/bin/keylime_agent", "/usr/bin/true");
      await Deno.writeTextFile(`${directory}/${name}`, there);
    }
    const units = await Array.fromAsync(
      Deno.readDir(directory),
      ({ name }) => `${directory}/${name}`,
    );
    assert.equal(units.length, 3);
    const { code, stdout, stderr } = await run([
      ...["systemd-analyze", "verify", "--man=no", ...units],
    ]);
    assert.equal(stdout + stderr, "");
    assert.equal(code, 0);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("the agent's sandbox is as tight as it was", async () => {
  const text = await must([
    ...["systemd-analyze", "security", "--offline=true", "--no-pager"],
    ...[`--threshold=${EXPOSURE_MAX}`, AGENT],
  ]);
  assert.match(text, /Overall exposure level .* OK/);
});

Deno.test("the agent has no capability but those that its comments justify", async () => {
  assert.deepEqual(await setting("CapabilityBoundingSet"), [
    "CAP_DAC_READ_SEARCH CAP_SETUID CAP_SETGID",
  ]);
  assert.deepEqual(await setting("AmbientCapabilities"), []);
});

Deno.test("the agent reaches no device but the TPM", async () => {
  assert.deepEqual(await setting("DevicePolicy"), ["closed"]);
  assert.deepEqual(await setting("DeviceAllow"), [
    "char-tpm rw",
    "/dev/tpm0 rw",
  ]);
});

Deno.test("systemd starts the agent again unless that cannot help", async () => {
  const { usage, refused, configuration } = EXIT_CODE;
  assert.deepEqual(await setting("Restart"), ["on-failure"]);
  assert.deepEqual(await setting("RestartPreventExitStatus"), [
    `${usage} ${refused} ${configuration}`,
  ]);
  assert.deepEqual(await setting("StartLimitIntervalSec"), ["0"]);
});

Deno.test("the secure mount is where the agent looks for it, for its user alone", async () => {
  const mount = await Deno.readTextFile(
    `${PACKAGING}systemd/var-lib-keylime-secure.mount`,
  );
  const [user, group] = OPTIONS.run_as.default.split(":");
  const where = `${OPTIONS.keylime_dir.default}/secure`;
  assert.match(mount, new RegExp(`^Where=${where}$`, "m"));
  const size = OPTIONS.secure_size.default;
  const options =
    `mode=0700,size=${size},uid=${user},gid=${group},nosuid,nodev`;
  assert.match(mount, new RegExp(`^Options=${options}$`, "m"));
});

Deno.test("the firewall's service is the agent's port", async () => {
  const service = await Deno.readTextFile(`${PACKAGING}keylime.xml`);
  const port = `<port protocol="tcp" port="${OPTIONS.port.default}" />`;
  assert.ok(service.includes(port));
});

Deno.test("the IMA policy has rules only, and leaves no file system out twice", async () => {
  const text = await Deno.readTextFile(`${PACKAGING}ima-policy`);
  const lines = text.split("\n").map((line) =>
    line.replace(/^# (dont_)/, "$1")
  );
  const rules = lines.filter((line) => line !== "" && !line.startsWith("#"));
  for (const rule of rules) {
    assert.match(
      rule,
      /^(dont_)?measure( (func|mask|fsmagic|e?uid|obj_type)=\S+)+$/,
    );
  }
  assert.equal(new Set(rules).size, rules.length);
});

Deno.test("the manual page is clean and knows every exit status", async () => {
  const page = `${PACKAGING}keylime_agent.8`;
  // Whether other pages are installed is not this page's matter.
  const { stdout } = await run(["mandoc", "-T", "lint", "-W", "style", page]);
  const problems = stdout.split("\n").filter((line) =>
    line !== "" && !line.includes("referenced manual not found") &&
    !line.includes("outdated mandoc.db")
  );
  assert.deepEqual(problems, []);
  const text = await Deno.readTextFile(page);
  const [, statuses = ""] = /^\.Sh EXIT STATUS$(.*?)^\.Sh/ms.exec(text) ?? [];
  const listed = [...statuses.matchAll(/^\.It (\d+)$/gm)].map(([, n]) =>
    Number(n)
  );
  assert.deepEqual(listed, [0, ...Object.values(EXIT_CODE)]);
});
