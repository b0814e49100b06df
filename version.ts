/**
 * What `keylime_agent --version` prints.
 *
 * @module
 */

import project from "./deno.json" with { type: "json" };

/** The agent's version, which is deno.json's and written nowhere else. */
export const VERSION: string = project.version;

/**
 * How this program came to run: `compiled` by `deno compile`, `portable` as the
 * bundle in a self-extracting executable, or `from sources`.
 */
function kind(): string {
  if (Deno.build.standalone) return "compiled";
  return Deno.mainModule.endsWith(".ts") ? "from sources" : "portable";
}

/** This program in one line: `keylime_agent 0.1.0 (compiled, Deno 2.9.6)`. */
export function describeProgram(): string {
  return `keylime_agent ${VERSION} (${kind()}, Deno ${Deno.version.deno})`;
}
