import assert from "node:assert/strict";
import { run } from "../lab/command.ts";
import { missingPrograms } from "../lab/tools.ts";
import { Portable } from "./support/portable.ts";

Deno.test("a portable executable becomes its program under every shell", async (t) => {
  for (const shell of [["sh"], ["dash"], ["bash"], ["busybox", "sh"]]) {
    const isMissing = (await missingPrograms(shell.slice(0, 1))).length > 0;
    await t.step({
      name: shell.join(" "),
      ignore: isMissing,
      fn: async () => {
        await using portable = await Portable.make();
        const args = [
          "arguments",
          "",
          "a b",
          "*",
          "--help",
          "-x",
          "$HOME",
          "\n",
        ];
        const want = args.slice(1).map((text) => `<${text}>\n`).join("");
        for (const start of ["first", "second"]) {
          const { code, stdout, stderr } = await portable.run(args, {
            env: { PATH: "/usr/bin:/bin", CACHE_DIRECTORY: portable.cache },
            by: shell,
          });
          assert.deepEqual({ code, stdout, stderr }, {
            code: 0,
            stdout: want,
            stderr: "",
          }, start);
        }
      },
    });
  }
});

Deno.test("a portable executable keeps process, exit code, signals and umask", async (t) => {
  await using portable = await Portable.make();
  const { cache, executable } = portable;
  await t.step("exit code", async () => {
    const { code } = await portable.run(["exit", "77"]);
    assert.equal(code, 77);
  });
  await t.step("process id", async () => {
    const script = 'echo $$; exec "$@"';
    const { stdout } = await run(
      ["sh", "-c", script, "sh", executable, "pid"],
      {
        env: { CACHE_DIRECTORY: cache },
      },
    );
    const [shell, program] = stdout.split("\n");
    assert.equal(program, shell);
  });
  await t.step("signals", async () => {
    await using child = new Deno.Command(executable, {
      args: ["wait"],
      env: { CACHE_DIRECTORY: cache },
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    child.kill("SIGTERM");
    assert.equal((await child.status).code, 7);
    await reader.cancel();
  });
  for (const mask of ["0022", "0137"]) {
    await t.step(`umask ${mask}, unpacking or not`, async () => {
      const script = 'umask "$0"; exec "$@"';
      for (let start = 0; start < 2; start++) {
        const command = ["sh", "-c", script, mask, executable, "umask"];
        const env = { CACHE_DIRECTORY: `${portable.directory}/by-${mask}` };
        const { stdout } = await run(command, { env });
        assert.equal(stdout, `${mask}\n`);
      }
    });
  }
});

Deno.test("a portable executable unpacks once, for its user alone", async () => {
  await using portable = await Portable.make({ program: "the program" });
  const { stdout } = await portable.run(["tree"]);
  const tree = stdout.trim();
  assert.match(tree, /\/cache\/agent-[0-9a-f]{64}$/);
  const unpacked = await Deno.stat(tree);
  for (const path of [portable.cache, tree]) {
    const { mode, uid } = await Deno.lstat(path);
    assert.equal((mode ?? 0) & 0o7777, 0o700, path);
    assert.equal(uid, Deno.uid());
  }
  assert.equal(
    await Deno.readTextFile(`${tree}/program.cjs`),
    '"use strict";the program',
  );
  assert.equal((await portable.run(["exit", "0"])).code, 0);
  assert.equal((await Deno.stat(tree)).ino, unpacked.ino);
  assert.deepEqual(await portable.cached(), [
    tree.slice(tree.lastIndexOf("/") + 1),
  ]);
});

Deno.test("a portable executable unpacks to where the environment says", async (t) => {
  await using portable = await Portable.make();
  const place = `${portable.directory}/places`;
  await Deno.mkdir(place, { mode: 0o777 });
  await Deno.chmod(place, 0o777);
  const unset = /^keylime_agent: There is nowhere to unpack to: set CACHE_/;
  const rows = [
    { env: { CACHE_DIRECTORY: `${place}/a`, HOME: "/x" }, want: `${place}/a/` },
    { env: { CACHE_DIRECTORY: `${place}/b:/x` }, want: `${place}/b/` },
    {
      env: { XDG_CACHE_HOME: `${place}/c`, HOME: "/x" },
      want: `${place}/c/keylime/`,
    },
    { env: { HOME: `${place}/d` }, want: `${place}/d/.cache/keylime/` },
    { env: {}, want: unset },
    { env: { HOME: "", XDG_CACHE_HOME: "" }, want: unset },
    { env: { CACHE_DIRECTORY: "here" }, want: /"here" is no absolute path/ },
    {
      env: { HOME: "/proc" },
      want: /Cannot unpack to "\/proc\/\.cache\/keylime"/,
    },
  ];
  for (const { env, want } of rows) {
    await t.step(JSON.stringify(env), async () => {
      const ended = await portable.run(["tree"], { env, isNobody: true });
      if (typeof want === "string") {
        assert.equal(ended.code, 0, ended.stderr);
        assert.ok(ended.stdout.startsWith(`${want}agent-`), ended.stdout);
      } else {
        assert.equal(ended.code, 1);
        assert.match(ended.stderr, want);
        assert.equal(ended.stderr.split("\n").length, 2);
      }
    });
  }
});

Deno.test("no variable that Deno reads reaches it, all others do", async () => {
  await using portable = await Portable.make();
  const others = {
    CACHE_DIRECTORY: portable.cache,
    KEYLIME_AGENT_PORT: "9002",
    LINES: "one\nNODE_OPTIONS x=2\n*\nTCTI=3",
    NOTIFY_SOCKET: "/run/systemd/notify",
    PATH: `${portable.directory}/hostile:/usr/bin:/bin`,
    RUST_LOG: "debug",
    TCTI: "device:/dev/tpm0",
    TMPDIR: "/nonexistent",
  };
  await Deno.mkdir(`${portable.directory}/hostile`);
  for (
    const tool of ["env", "id", "mktemp", "sha256sum", "stat", "tail", "tar"]
  ) {
    const path = `${portable.directory}/hostile/${tool}`;
    await Deno.writeTextFile(path, "#!/bin/sh\nexit 99\n", { mode: 0o755 });
  }
  const ended = await portable.run(["environment"], {
    env: {
      ...others,
      DENO_AUTH_TOKENS: "x",
      DENO_CERT: "/x",
      DENO_DIR: "/x",
      DENO_V8_FLAGS: "--jitless",
      HOME: "/x",
      NODE_EXTRA_CA_CERTS: "/x",
      NODE_OPTIONS: "--require=/x",
      NPM_CONFIG_REGISTRY: "http://x",
      OTEL_DENO: "true",
      SSLKEYLOGFILE: "/x",
      TAR_OPTIONS: "--to-command=/x",
    },
    by: ["/bin/sh"],
  });
  assert.equal(ended.code, 0, ended.stderr);
  const variables = Object.fromEntries(
    ended.stdout.split("\0").filter(Boolean).map((line) => {
      const equals = line.indexOf("=");
      return [line.slice(0, equals), line.slice(equals + 1)];
    }),
  );
  for (const shells of ["PWD", "OLDPWD", "SHLVL", "_"]) {
    delete variables[shells];
  }
  const [tree] = await portable.cached();
  assert.deepEqual(variables, {
    ...others,
    DENO_DIR: "/dev/null",
    DENO_NO_UPDATE_CHECK: "1",
    HOME: `${portable.cache}/${tree}`,
  });
});

Deno.test("an upgrade removes what other builds have unpacked, and nothing else", async () => {
  await using portable = await Portable.make({ program: "one" });
  const { cache } = portable;
  const kept = [
    "agent-1.conf",
    `agent-${"g".repeat(64)}`,
    `agent-${"0".repeat(63)}`,
    `agent-${"1".repeat(64)}`, // a link
    `.agent-${Deno.pid}-0123456789`, // a start that is at work
    "something",
  ];
  const removed = [
    `agent-${"2".repeat(64)}`,
    ".agent-4194305-0123456789", // more than a process id can be
  ];
  const { stdout } = await portable.run(["tree"]);
  const old = stdout.trim();
  const link = `agent-${"1".repeat(64)}`;
  for (const name of [...kept, ...removed]) {
    if (name !== link) {
      await Deno.mkdir(`${cache}/${name}/inner`, { recursive: true });
    }
  }
  await Deno.symlink(`${cache}/something`, `${cache}/${link}`);
  await Deno.symlink(`${cache}/something`, `${cache}/${removed[0]}/link`);

  await using running = new Deno.Command(portable.executable, {
    args: ["wait"],
    env: { CACHE_DIRECTORY: cache },
    stdout: "piped",
  }).spawn();
  const reader = running.stdout.getReader();
  await reader.read();
  await portable.rebuild("two");
  const upgraded = (await portable.run(["tree"])).stdout.trim();
  assert.notEqual(upgraded, old);
  const name = upgraded.slice(upgraded.lastIndexOf("/") + 1);
  assert.deepEqual(await portable.cached(), [...kept, name].sort());
  assert.ok((await Deno.stat(`${cache}/something/inner`)).isDirectory);
  running.kill("SIGTERM");
  assert.equal((await running.status).code, 7, "the older one runs on");
  await reader.cancel();
});
