import assert from "node:assert/strict";
import { packSources } from "../../packaging/source_archive.ts";
import { must } from "./support/package_file.ts";

/** A tree of sources, and what builds leave in one. */
async function makeTree(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir();
  for (const name of ["dist", "vendor", "tests/vendor"]) {
    await Deno.mkdir(`${path}/${name}`, { recursive: true });
    await Deno.writeTextFile(`${path}/${name}/file`, name);
  }
  await Deno.writeTextFile(`${path}/.gitignore`, "/dist/\n/vendor/\n*.log\n");
  await Deno.writeTextFile(`${path}/main.ts`, "main", { mode: 0o600 });
  await Deno.writeTextFile(`${path}/dev`, "dev", { mode: 0o700 });
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** Mode and path of each file in the archive that is made of `root`. */
async function packed(root: string): Promise<string[]> {
  const archive = `${root}/dist/sources.tar.gz`;
  await packSources(root, { name: "name-1", archive });
  const listed = await must(["tar", "--list", "--verbose", "-f", archive]);
  return listed.trimEnd().split("\n").map((line) => line.split(/\s+/))
    .filter(([mode]) => mode?.startsWith("-"))
    .map((fields) => `${fields[0]} ${fields.at(-1)}`);
}

Deno.test("packSources() takes all but builds from a tree without git", async () => {
  await using tree = await makeTree();
  assert.deepEqual(await packed(tree.path), [
    "-rw-r--r-- name-1/.gitignore",
    "-rwxr-xr-x name-1/dev",
    "-rw-r--r-- name-1/main.ts",
    "-rw-r--r-- name-1/tests/vendor/file",
  ]);
});

Deno.test("packSources() takes a checkout as it is now, without what git ignores", async () => {
  await using tree = await makeTree();
  const git = (...args: string[]): Promise<string> =>
    must(["git", "-C", tree.path, ...args]);
  await git("init", "--quiet");
  await git("add", "main.ts", "tests");
  await Deno.remove(`${tree.path}/tests/vendor/file`);
  await Deno.writeTextFile(`${tree.path}/debug.log`, "");
  assert.deepEqual(await packed(tree.path), [
    "-rw-r--r-- name-1/.gitignore",
    "-rwxr-xr-x name-1/dev",
    "-rw-r--r-- name-1/main.ts",
  ]);
});

Deno.test("packSources() makes the same bytes of the same sources", async () => {
  await using one = await makeTree();
  await using other = await makeTree();
  await Deno.utime(`${other.path}/main.ts`, 1, 1);
  await Deno.chmod(`${other.path}/main.ts`, 0o664);
  await packed(one.path);
  await packed(other.path);
  assert.deepEqual(
    await Deno.readFile(`${one.path}/dist/sources.tar.gz`),
    await Deno.readFile(`${other.path}/dist/sources.tar.gz`),
  );
});
