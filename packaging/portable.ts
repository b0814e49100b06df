/**
 * The agent as an executable that carries Deno and unpacks itself at its first
 * start: `launcher.sh` with an archive appended.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { packDirectory } from "./archive.ts";
import { V8_FLAGS } from "./v8_flags.ts";

const LAUNCHER = fileURLToPath(new URL("launcher.sh", import.meta.url));

/** The files that an archive has, in the order in which the launcher looks. */
const FILES = ["keylime_agent", "agent.js", "program.cjs"];

/**
 * Starts the program. What Deno imports, it parses at every start, for there is
 * no cache, and keeps the tree: 50 ms and 13 MB more than what it requires.
 */
const START = `import { createRequire } from "node:module";
createRequire(import.meta.url)("./program.cjs");
`;

/** What goes into a portable executable. */
export interface PortableParts {
  /** The Deno that runs the program. */
  readonly deno: string;
  /** The program: one CommonJS module, which is made strict here. */
  readonly program: string;
}

/** Puts `parts` together as the new executable `output`. */
export async function makePortable(
  parts: PortableParts,
  output: string,
): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "keylime-portable-" });
  try {
    const tree = `${work}/tree`;
    await Deno.mkdir(tree);
    // Named as what it plays, for `pidof`, the journal and IMA.
    await Deno.copyFile(parts.deno, `${tree}/keylime_agent`);
    await Deno.chmod(`${tree}/keylime_agent`, 0o755);
    await Deno.writeTextFile(`${tree}/agent.js`, START);
    const program = await Deno.readTextFile(parts.program);
    await Deno.writeTextFile(`${tree}/program.cjs`, `"use strict";${program}`);
    const archive = `${work}/archive`;
    await packDirectory(tree, archive);
    const bytes = await Deno.readFile(archive);
    const launcher = fill(await Deno.readTextFile(LAUNCHER), {
      SHA256: createHash("sha256").update(bytes).digest("hex"),
      ARCHIVE_SIZE: String(bytes.length),
      V8_FLAGS,
      SIZES: (await sizesOf(tree, FILES)).join("\n"),
    });
    await Deno.writeTextFile(output, launcher);
    await Deno.writeFile(output, bytes, { append: true });
    await Deno.chmod(output, 0o755);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Sizes of the files `names` in `directory`, in bytes. */
async function sizesOf(
  directory: string,
  names: readonly string[],
): Promise<number[]> {
  const stats = names.map((name) => Deno.stat(`${directory}/${name}`));
  return (await Promise.all(stats)).map(({ size }) => size);
}

/** Replaces each `@NAME@` of `template`, which must be there. */
function fill(
  template: string,
  values: Readonly<Record<string, string>>,
): string {
  return template.replaceAll(/@([A-Z0-9_]+)@/g, (place, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`Nothing to put for ${place}`);
    return value;
  });
}
