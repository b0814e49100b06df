/**
 * The agent's program as one JavaScript file.
 *
 * @module
 */

import { runCommand } from "./command.ts";
import type { Dependencies } from "./dependencies.ts";

/** How a bundle is made. */
export interface BundleOptions {
  /** Kind of module: `esm` is ECMAScript's, `cjs` is CommonJS. */
  readonly format: "esm" | "cjs";
  /** Where its parts come from. */
  readonly dependencies: Pick<Dependencies, "env">;
}

/**
 * Bundles the program of the project at `root`, npm packages and all, into the
 * new file `output`. The same sources give the same bytes, wherever they are:
 * a bundle that is not minified has the paths of its modules in comments.
 *
 * @throws CommandError when a dependency is missing, or deno.lock is outdated
 */
export async function bundleProgram(
  root: string,
  output: string,
  { format, dependencies }: BundleOptions,
): Promise<void> {
  await runCommand([
    Deno.execPath(),
    "bundle",
    "--quiet",
    "--platform=deno",
    "--minify",
    `--format=${format}`,
    `--config=${root}/deno.json`,
    "--frozen",
    `--output=${output}`,
    `${root}/main.ts`,
  ], { cwd: root, env: dependencies.env });
}
