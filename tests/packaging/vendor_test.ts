import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { bundleProgram } from "../../packaging/bundle.ts";
import { packSources } from "../../packaging/source_archive.ts";
import { vendor, VENDOR_ARCHIVE } from "../../packaging/vendor.ts";
import { VERSION } from "../../version.ts";
import { type CommandOutput, run, runOk } from "../lab/command.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).slice(0, -1);
const DENO = Deno.execPath();

/** What takes the network away; a user needs a namespace of users for that. */
const OFFLINE = Deno.uid() === 0 ? ["unshare", "--net"] : ["unshare", "-rn"];

/** Runs `./dev` as a build service does: no network, no home, no cache. */
async function offline(
  tree: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandOutput> {
  const home = `${tree}-home`;
  await Deno.mkdir(home, { recursive: true });
  const variables = {
    PATH: "/usr/bin:/bin",
    DENO,
    HOME: home,
    XDG_CACHE_HOME: `${home}/cache`,
    DENO_DIR: `${home}/deno`,
    ...env,
  };
  return await run([
    ...OFFLINE,
    ...["/usr/bin/env", "--ignore-environment"],
    ...Object.entries(variables).map(([name, value]) => `${name}=${value}`),
    ...["./dev", ...args],
  ], { cwd: tree, timeoutMs: 120_000 });
}

Deno.test.beforeAll(vendor);

Deno.test("sources and vendor archive are enough to build without a network", async (t) => {
  await using place = await temporaryDirectory();
  const tree = `${place.path}/tree`;
  const sources = `${place.path}/sources.tar.gz`;
  await packSources(ROOT, { name: "tree", archive: sources });
  await runOk(["tar", "-xf", sources, "-C", place.path]);

  await t.step("without the vendor archive it does not", async () => {
    const { code, stderr } = await offline(tree, ["build", "--portable"]);
    assert.equal(code, 1);
    assert.match(stderr, /^build: .*bundle/);
  });

  const archive = `${place.path}/vendor.tar.gz`;
  await Deno.copyFile(VENDOR_ARCHIVE, archive);
  await runOk(["tar", "-xf", archive, "-C", tree]);
  await runOk(["chmod", "-R", "a-w", `${tree}/vendor`]);

  const version =
    `keylime_agent ${VERSION} (portable, Deno ${Deno.version.deno})`;
  await t.step("./dev build --portable", async () => {
    const { code, stdout, stderr } = await offline(tree, [
      "build",
      "--portable",
    ]);
    assert.equal(stdout, `dist/keylime_agent: ${version}\n`);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  });
  await t.step("which is the program that is built with one", async () => {
    const cache = `${place.path}/cache`;
    const said = await runOk([`${tree}/dist/keylime_agent`, "--version"], {
      env: { CACHE_DIRECTORY: cache },
    });
    assert.equal(said, `${version}\n`);
    const bundle = `${place.path}/bundle.js`;
    const dependencies = { env: {} };
    await bundleProgram(ROOT, bundle, { format: "cjs", dependencies });
    const [unpacked] = Array.from(Deno.readDirSync(cache));
    assert.equal(
      await Deno.readTextFile(`${cache}/${unpacked?.name}/program.cjs`),
      `"use strict";${await Deno.readTextFile(bundle)}`,
    );
  });
  await t.step("./dev build, which compiles and then looks", async () => {
    // No denort is at hand; Deno itself takes the program, but never runs it.
    const { code, stderr } = await offline(tree, ["build"], {
      DENORT_BIN: DENO,
    });
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^build: The new executable says "deno [^\n]*compiled with another denort; set DENORT_BIN [^\n]*\n$/,
    );
  });
  await t.step("./dev build without a denort", async () => {
    const { code, stderr } = await offline(tree, ["build"]);
    assert.equal(code, 1);
    assert.match(stderr, /^build: vendor\/ holds no denort; [^\n]*\n$/);
  });
  await runOk(["chmod", "-R", "u+w", `${tree}/vendor`]);

  await t.step("a second vendor archive has the same bytes", async () => {
    await vendor();
    await runOk(["cmp", archive, VENDOR_ARCHIVE]);
  });
});

Deno.test("the vendor archive has the program's packages and no others", async () => {
  const names = (await runOk(["tar", "-tf", VENDOR_ARCHIVE])).split("\n");
  const packages = names.filter((name) => /\/package\.json$/.test(name))
    .map((name) =>
      /^vendor\/npm\/[^/]+\/((?:@[^/]+\/)?[^/]+)\//.exec(name)?.[1]
    );
  assert.deepEqual([...new Set(packages)].sort(), [
    "@hono/node-server",
    "@peculiar/utils",
    "@zip.js/zip.js",
    "asn1js",
    "hono",
    "smol-toml",
  ]);
  assert.ok(names.some((name) => /^vendor\/dl\/esbuild-/.test(name)));
  assert.ok(!names.some((name) => name.endsWith("/registry.json")));
});
