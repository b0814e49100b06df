import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { bundleProgram } from "../../packaging/bundle.ts";
import { compileProgram, DenortError } from "../../packaging/compiled.ts";
import { openDependencies } from "../../packaging/dependencies.ts";
import { makePortable } from "../../packaging/portable.ts";
import { V8_FLAGS } from "../../packaging/v8_flags.ts";
import { VERSION } from "../../version.ts";
import { run } from "../lab/command.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).slice(0, -1);

/** An ELF file that is no denort, but takes an appended program like one. */
const SOME_ELF = "/bin/true";

/** A portable executable of this tree with the Deno of this test. */
async function buildPortable(directory: string): Promise<string> {
  const [program, executable] = ["program.js", "keylime_agent"]
    .map((name) => `${directory}/${name}`) as [string, string];
  await using dependencies = await openDependencies(ROOT);
  await bundleProgram(ROOT, program, { format: "cjs", dependencies });
  await makePortable({ deno: Deno.execPath(), program }, executable);
  return executable;
}

Deno.test("the real portable executable is the agent, whatever is around it", async (t) => {
  await using place = await temporaryDirectory();
  const executable = await buildPortable(place.path);
  // What Deno would read, were it told nothing.
  const hostile = `${place.path}/hostile`;
  await Deno.mkdir(hostile);
  for (const name of ["deno.json", "package.json", "deno.lock", ".npmrc"]) {
    await Deno.writeTextFile(`${hostile}/${name}`, "@x:registry=::\n{ broken");
  }
  await Deno.copyFile(`${hostile}/package.json`, `${place.path}/package.json`);
  const env = {
    CACHE_DIRECTORY: `${place.path}/cache`,
    DENO_V8_FLAGS: "--no-such-flag",
    HOME: hostile,
    NODE_OPTIONS: "--no-such-option",
  };
  const agent = (...args: readonly string[]): ReturnType<typeof run> =>
    run([executable, ...args], { env, cwd: hostile });
  await t.step("--version", async () => {
    assert.deepEqual(await agent("--version"), {
      code: 0,
      stdout:
        `keylime_agent ${VERSION} (portable, Deno ${Deno.version.deno})\n`,
      stderr: "",
    });
  });
  await t.step("a wrong option", async () => {
    const { code, stderr } = await agent("--verbose");
    assert.equal(code, 2);
    assert.match(stderr, /\nUsage: keylime_agent \[OPTION\]\n/);
  });
  await t.step("a wrong configuration", async () => {
    const { stderr } = await run([executable], {
      env: { ...env, KEYLIME_AGENT_CONFIG: "/nonexistent/agent.conf" },
    });
    assert.match(stderr, /^ ERROR keylime_agent > .*\/nonexistent\/agent/m);
  });
  await t.step("it leaves nothing that changes in its directory", () => {
    const [tree] = Array.from(Deno.readDirSync(env.CACHE_DIRECTORY));
    const files = Deno.readDirSync(`${env.CACHE_DIRECTORY}/${tree?.name}`);
    assert.deepEqual(Array.from(files, ({ name }) => name).sort(), [
      "agent.js",
      "keylime_agent",
      "program.cjs",
    ]);
  });
});

Deno.test("the same parts give the same portable executable", async () => {
  const outputs = await Promise.all([0, 1_000_000_000].map(async (time) => {
    await using place = await temporaryDirectory();
    const { path } = place;
    const parts = { deno: `${path}/deno`, program: `${path}/program` };
    await Deno.copyFile(SOME_ELF, parts.deno);
    await Deno.writeTextFile(parts.program, "0;");
    await Deno.utime(parts.program, time, time);
    await Deno.chmod(parts.deno, time === 0 ? 0o700 : 0o755);
    await makePortable(parts, `${path}/output`);
    return await Deno.readFile(`${path}/output`);
  }));
  assert.deepEqual(outputs[0], outputs[1]);
});

const VENDORED = { env: {}, isVendored: true };

Deno.test("the same bundle gives the same compiled executable", async () => {
  const outputs = await Promise.all(["one", "two"].map(async (name) => {
    await using place = await temporaryDirectory();
    const program = `${place.path}/agent.js`;
    await Deno.writeTextFile(program, "0;");
    const output = `${place.path}/${name}`;
    const options = { denort: SOME_ELF, dependencies: VENDORED };
    await compileProgram(program, output, options);
    return await Deno.readFile(output);
  }));
  assert.deepEqual(outputs[0], outputs[1]);
});

Deno.test("a compiled executable has its permissions and flags fixed", async () => {
  await using place = await temporaryDirectory();
  const [program, output] = [`${place.path}/agent.js`, `${place.path}/output`];
  await Deno.writeTextFile(program, "0;");
  const options = { denort: SOME_ELF, dependencies: VENDORED };
  await compileProgram(program, output, options);
  const text = new TextDecoder("latin1").decode(await Deno.readFile(output));
  const json = /\{"argv":.*?"app_name":"keylime_agent"\}/.exec(text)?.[0] ?? "";
  const fixed = JSON.parse(json);
  assert.deepEqual(fixed.argv, []);
  assert.equal(fixed.code_cache_key, null);
  // Deno has some of its own before them.
  assert.ok(fixed.v8_flags.join(",").endsWith(`,${V8_FLAGS}`));
  assert.deepEqual(fixed.unstable_config.features, []);
  for (const [name, value] of Object.entries(fixed.permissions)) {
    if (name === "prompt") assert.equal(value, false);
    // All, and nothing refused or ignored.
    else assert.deepEqual(value, name.startsWith("allow_") ? [] : null, name);
  }
});

Deno.test("whatever starts the agent gives V8 the same options", async () => {
  const { default: { tasks } } = await import("../../deno.json", {
    with: { type: "json" },
  });
  assert.match(tasks.agent, new RegExp(` --v8-flags=${V8_FLAGS} `));
  await using place = await temporaryDirectory();
  const [program, output] = [`${place.path}/program`, `${place.path}/output`];
  await Deno.writeTextFile(program, "0;");
  await makePortable({ deno: SOME_ELF, program }, output);
  const launcher = await Deno.readTextFile(output);
  assert.match(launcher, new RegExp(` --v8-flags=${V8_FLAGS} `));
});

Deno.test("compileProgram() says what to do without a denort", async (t) => {
  await using place = await temporaryDirectory();
  const program = `${place.path}/agent.js`;
  await Deno.writeTextFile(program, "0;");
  const unreachable = {
    isVendored: false,
    env: {
      DENO_DIR: `${place.path}/cache`,
      HTTPS_PROXY: "http://127.0.0.1:1",
      https_proxy: "http://127.0.0.1:1",
    },
  };
  const rows = [
    {
      name: "vendored",
      options: { denort: undefined, dependencies: VENDORED },
      want: "vendor/ holds no denort",
    },
    {
      name: "no network",
      options: { denort: undefined, dependencies: unreachable },
      want: "Cannot download denort",
    },
    {
      name: "no such file",
      options: { denort: "/nonexistent/denort", dependencies: VENDORED },
      want: 'Cannot read DENORT_BIN "/nonexistent/denort"',
    },
    {
      name: "no program",
      options: { denort: program, dependencies: VENDORED },
      want: `"${program}" is no denort`,
    },
  ];
  for (const { name, options, want } of rows) {
    await t.step(name, async () => {
      await assert.rejects(
        compileProgram(program, `${place.path}/output`, options),
        (error) => {
          assert.ok(error instanceof DenortError);
          const { deno } = Deno.version;
          assert.equal(
            error.message,
            `${want}; set DENORT_BIN to the denort of Deno ${deno}, ` +
              "or run ./dev build --portable, which needs none",
          );
          return true;
        },
      );
    });
  }
});

Deno.test("scripts are clean by shellcheck", async () => {
  const { code, stdout } = await run([
    ...["shellcheck", `${ROOT}/dev`, `${ROOT}/packaging/launcher.sh`],
    `${ROOT}/tests/packaging/support/fake_deno.sh`,
  ]);
  assert.equal(stdout, "");
  assert.equal(code, 0);
});
