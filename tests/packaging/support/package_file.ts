/**
 * What rpm says of a package file.
 *
 * @module
 */

import assert from "node:assert/strict";
import { run } from "../../lab/command.ts";

/** Runs a program that must succeed; returns what it printed. */
export async function must(argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(argv);
  assert.equal(code, 0, `${argv.join(" ")}:\n${stdout}${stderr}`);
  return stdout;
}

/** The lines of what `rpm` prints when it is asked about the package `path`. */
export async function query(
  path: string,
  ...options: readonly string[]
): Promise<string[]> {
  const text = await must(["rpm", "--query", "--package", ...options, path]);
  return text.split("\n").filter((line) => line !== "");
}

/** The files of a package: mode, owner and group, path. */
export function filesOf(path: string): Promise<string[]> {
  const format =
    "[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES}\n]";
  return query(path, `--queryformat=${format}`);
}

/** The scriptlets of a package: `prein`, `postin`, `preun`, `postun`. */
export async function scriptletsOf(
  path: string,
): Promise<Map<string, string>> {
  const scriptlets = new Map<string, string>();
  for (const name of ["prein", "postin", "preun", "postun", "posttrans"]) {
    const tag = name.toUpperCase();
    const lines = await query(path, `--queryformat=%|${tag}?{%{${tag}}}|`);
    if (lines.length > 0) scriptlets.set(name, `${lines.join("\n")}\n`);
  }
  return scriptlets;
}

/** Unpacks a package into the existing directory `to`. */
export async function unpack(path: string, to: string): Promise<void> {
  const script = 'rpm2cpio "$1" | cpio --extract --make-directories --quiet';
  await must(["sh", "-c", `cd "$2" && ${script}`, "sh", path, to]);
}
