/**
 * The archive of this tree's sources.
 *
 * @module
 */

import { dirname } from "node:path";
import { packDirectory } from "./archive.ts";
import { runCommand } from "./command.ts";

/** What is no source in a tree that git does not know. */
const NO_SOURCES = ["dist", "vendor", "node_modules", "coverage", ".cache"];

/**
 * Packs the sources of the tree at `root` as they are now: all files that git
 * has or would add, or, where the tree is itself out of an archive, all but
 * what builds make. The same sources give the same bytes.
 *
 * @throws CommandError when git or tar fails
 */
export async function packSources(
  root: string,
  { name, archive }: {
    /** The one directory in the archive. */
    readonly name: string;
    /** The new file: a tar compressed by gzip. */
    readonly archive: string;
  },
): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "keylime-sources-" });
  try {
    for (const path of await sourcesOf(root)) {
      await copySource(`${root}/${path}`, `${work}/${name}/${path}`);
    }
    await packDirectory(work, archive);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Copies a file with one of the two modes that git knows. */
async function copySource(from: string, to: string): Promise<void> {
  const isExecutable = ((await Deno.stat(from)).mode ?? 0) & 0o100;
  await Deno.mkdir(dirname(to), { recursive: true, mode: 0o755 });
  await Deno.copyFile(from, to);
  await Deno.chmod(to, isExecutable ? 0o755 : 0o644);
}

async function sourcesOf(root: string): Promise<string[]> {
  if (!await exists(`${root}/.git`)) {
    return await Array.fromAsync(filesBelow(root, ""));
  }
  const listed = await runCommand([
    // Root may build what another user has checked out.
    ...["git", "-c", `safe.directory=${root}`, "-C", root],
    ...["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
  ]);
  const paths = new Set(listed.split("\0").filter((path) => path !== ""));
  const there: string[] = [];
  for (const path of paths) {
    // A file that is deleted here may still be in git.
    if (await exists(`${root}/${path}`)) there.push(path);
  }
  return there;
}

async function* filesBelow(
  root: string,
  directory: string,
): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(`${root}/${directory}`)) {
    const path = directory === "" ? entry.name : `${directory}/${entry.name}`;
    if (NO_SOURCES.includes(path)) continue;
    if (entry.isDirectory) yield* filesBelow(root, path);
    else yield path;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
