import assert from "node:assert/strict";
import type { CommandOutput } from "../lab/command.ts";
import { waitFor } from "../lab/wait.ts";
import { mayMount, onOwnFileSystem, Portable } from "./support/portable.ts";

/** Asserts that a start ended with exit code 1 and one line like `want`. */
function failedLike(
  { code, stdout, stderr }: CommandOutput,
  want: RegExp,
): void {
  assert.match(stderr, want);
  assert.match(stderr, /^keylime_agent: [^\n]*\n$/);
  assert.equal(code, 1);
  assert.equal(stdout, "");
}

const isRoot = Deno.uid() === 0;
const canMount = await mayMount();

/** Makes a directory of that mode, whatever our umask. */
async function makeDirectory(path: string, mode: number): Promise<void> {
  await Deno.mkdir(path);
  await Deno.chmod(path, mode);
}

Deno.test("a portable executable refuses a directory that others can change", async (t) => {
  const rows: {
    name: string;
    ignore?: boolean;
    make: (path: string) => Promise<void>;
  }[] = [
    {
      name: "a link to a private directory",
      make: async (path) => {
        await makeDirectory(`${path}-target`, 0o700);
        await Deno.symlink(`${path}-target`, path);
      },
    },
    {
      name: "writable by its group",
      make: (path) => makeDirectory(path, 0o720),
    },
    { name: "writable by all", make: (path) => makeDirectory(path, 0o1777) },
    {
      name: "somebody else's",
      ignore: !isRoot,
      make: async (path) => {
        await makeDirectory(path, 0o700);
        await Deno.chown(path, 65534, 65534);
      },
    },
  ];
  for (const { name, ignore = false, make } of rows) {
    await t.step({
      name: `cache: ${name}`,
      ignore,
      fn: async () => {
        await using portable = await Portable.make();
        await make(portable.cache);
        const before = await Deno.lstat(portable.cache);
        failedLike(
          await portable.run(["exit", "0"]),
          /cache" must be a directory, and no link, that belongs to user id \d+ and that nobody else can write to/,
        );
        assert.equal((await Deno.lstat(portable.cache)).mode, before.mode);
        assert.deepEqual(await portable.cached(), []);
      },
    });
    await t.step({
      name: `tree: ${name}`,
      ignore,
      fn: async () => {
        await using portable = await Portable.make();
        const tree = (await portable.run(["tree"])).stdout.trim();
        // As good as ours, or somebody could have made it as good.
        await Deno.rename(tree, `${portable.directory}/good`);
        await make(tree);
        for (const file of ["keylime_agent", "agent.js", "program.cjs"]) {
          await Deno.copyFile(
            `${portable.directory}/good/${file}`,
            `${tree}/${file}`,
          );
        }
        failedLike(
          await portable.run(["exit", "0"]),
          /agent-[0-9a-f]{64}" must be a directory, and no link/,
        );
      },
    });
  }
  await t.step("cache: a file", async () => {
    await using portable = await Portable.make();
    await Deno.writeTextFile(portable.cache, "");
    failedLike(
      await portable.run(["exit", "0"]),
      /Cannot unpack to .*File exists/,
    );
  });
  await t.step("tree: a file", async () => {
    await using portable = await Portable.make();
    const tree = (await portable.run(["tree"])).stdout.trim();
    await Deno.remove(tree, { recursive: true });
    await Deno.writeTextFile(tree, "");
    failedLike(await portable.run(["exit", "0"]), /must be a directory/);
  });
});

Deno.test("first starts at the same time all succeed, and leave one tree", async () => {
  await using portable = await Portable.make({ ballast: 2_000_000 });
  const starts = await Promise.all(
    Array.from({ length: 6 }, () => portable.run(["files"])),
  );
  const [first] = starts;
  assert.equal(first?.code, 0, first?.stderr);
  for (const start of starts) assert.deepEqual(start, first);
  const [tree = "", ...others] = await portable.cached();
  assert.match(tree, /^agent-[0-9a-f]{64}$/);
  assert.deepEqual(others, []);
});

/** Starts one for the first time, and ends it by `signal` while it unpacks. */
async function cutOff(
  portable: Portable,
  signal: Deno.Signal,
): Promise<Deno.CommandStatus> {
  for (let attempt = 0; attempt < 10; attempt++) {
    await makeDirectory(portable.cache, 0o700);
    const child = new Deno.Command("/bin/sh", {
      args: ["-c", 'exec "$0" exit 0', portable.executable],
      env: { CACHE_DIRECTORY: portable.cache },
      detached: true,
      stderr: "null",
    }).spawn();
    await waitFor("unpacking to begin", () => hasBegun(portable), {
      everyMs: 1,
    });
    // To the group, as the service manager does.
    Deno.kill(-child.pid, signal);
    const status = await child.status;
    const isLate = (await portable.cached())[0]?.startsWith("agent-");
    if (!isLate) return status;
    await Deno.remove(portable.cache, { recursive: true });
  }
  throw new Error("Unpacking was always quicker than the signal");
}

async function hasBegun({ cache }: Portable): Promise<boolean> {
  for await (const { name } of Deno.readDir(cache)) {
    for await (const _ of Deno.readDir(`${cache}/${name}`)) return true;
  }
  return false;
}

Deno.test("a first start that is cut off leaves nothing that is used", async (t) => {
  const ballast = 40_000_000; // takes a good part of a second
  await using portable = await Portable.make({ ballast });
  await t.step("SIGTERM, which it ends by", async () => {
    const { signal } = await cutOff(portable, "SIGTERM");
    assert.equal(signal, "SIGTERM");
    assert.deepEqual(await portable.cached(), []);
    await Deno.remove(portable.cache);
  });
  await t.step("SIGKILL, and the next start tidies up", async () => {
    await cutOff(portable, "SIGKILL");
    const [left = ""] = await portable.cached();
    assert.match(left, /^\.agent-\d+-\w{10}$/);
    const { code, stderr } = await portable.run(["exit", "3"]);
    assert.equal(code, 3, stderr);
    const names = await portable.cached();
    assert.match(names.join(), /^agent-[0-9a-f]{64}$/);
  });
});

Deno.test("a damaged executable is not unpacked", async () => {
  await using portable = await Portable.make();
  const { executable } = portable;
  const bytes = await Deno.readFile(executable);
  const middle = bytes.length - 50;
  bytes.set([(bytes[middle] ?? 0) ^ 1], middle);
  await Deno.writeFile(executable, bytes);
  failedLike(
    await portable.run(["exit", "0"]),
    /is damaged: .*install it again/,
  );
  await Deno.truncate(executable, bytes.length - 1);
  failedLike(
    await portable.run(["exit", "0"]),
    /is damaged: .*install it again/,
  );
  assert.deepEqual(await portable.cached(), []);
});

Deno.test("a tree that lost a part of itself is unpacked anew", async () => {
  await using portable = await Portable.make({ program: "the program" });
  const first = await portable.run(["files"]);
  const tree = (await portable.run(["tree"])).stdout.trim();
  for (const file of ["keylime_agent", "agent.js", "program.cjs"]) {
    await Deno.truncate(`${tree}/${file}`, 3);
    assert.deepEqual(await portable.run(["files"]), first, file);
  }
  await Deno.remove(`${tree}/program.cjs`);
  assert.deepEqual(await portable.run(["files"]), first);
});

Deno.test("a cache that cannot be written to serves what is in it", async () => {
  await using portable = await Portable.make();
  const parent = `${portable.directory}/open`;
  await makeDirectory(parent, 0o777);
  const cache = `${parent}/cache`;
  const options = { env: { CACHE_DIRECTORY: cache }, isNobody: true };
  assert.equal((await portable.run(["exit", "3"], options)).code, 3);
  await Deno.chmod(cache, 0o500);
  assert.equal((await portable.run(["exit", "3"], options)).code, 3);
  await portable.rebuild("another");
  failedLike(
    await portable.run(["exit", "3"], options),
    /Cannot unpack to ".*cache": mktemp: .*Permission denied/,
  );
});

Deno.test({
  name: "a file system that is full, or may not have programs, is named",
  ignore: !canMount, // needs root
  fn: async (t) => {
    await using portable = await Portable.make({ ballast: 1_000_000 });
    await Deno.mkdir(portable.cache);
    const on = (options: string): Promise<CommandOutput> =>
      portable.run(["exit", "3"], {
        by: onOwnFileSystem(portable.cache, options),
      });
    await t.step("one that suits", async () => {
      assert.equal((await on("mode=700")).code, 3);
    });
    await t.step("full", async () => {
      failedLike(
        await on("mode=700,size=100k"),
        /Cannot unpack to ".*cache": tar: .*No space left on device/,
      );
    });
    await t.step("read-only", async () => {
      failedLike(
        await on("mode=700,ro"),
        /Cannot unpack .*Read-only file system/,
      );
    });
    await t.step("noexec", async () => {
      failedLike(
        await on("mode=700,noexec"),
        /mounted noexec\? Set CACHE_DIRECTORY/,
      );
    });
  },
});

Deno.test({
  name: "root's cache is /var/cache/keylime",
  ignore: !canMount,
  fn: async () => {
    await using portable = await Portable.make();
    const { code, stdout, stderr } = await portable.run(["tree"], {
      env: { HOME: "/x", XDG_CACHE_HOME: "/y" },
      by: onOwnFileSystem("/var/cache", "mode=755"),
    });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^\/var\/cache\/keylime\/agent-[0-9a-f]{64}\n$/);
  },
});
