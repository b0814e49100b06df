/**
 * `./dev build`: makes the executable `dist/keylime_agent`.
 *
 * @module
 */

import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { VERSION } from "../version.ts";
import { bundleProgram } from "./bundle.ts";
import { runCommand } from "./command.ts";
import { compileProgram, DenortError } from "./compiled.ts";
import { openDependencies } from "./dependencies.ts";
import { makePortable } from "./portable.ts";

/** What a build makes: see docs/building.md. */
export type BuildKind = "compiled" | "portable";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** Where the executable is. */
export const EXECUTABLE = `${ROOT}/dist/keylime_agent`;

/**
 * Makes {@linkcode EXECUTABLE} anew and resolves with what it says of itself.
 *
 * @throws DenortError when `kind` is compiled and there is no denort for it
 */
export async function build(kind: BuildKind): Promise<string> {
  await Deno.mkdir(`${ROOT}/dist`, { recursive: true });
  await using dependencies = await openDependencies(ROOT);
  const work = await Deno.makeTempDir({
    dir: `${ROOT}/dist`,
    prefix: ".build-",
  });
  try {
    const [program, output] = [`${work}/agent.js`, `${work}/keylime_agent`];
    const format = kind === "compiled" ? "esm" : "cjs";
    await bundleProgram(ROOT, program, { format, dependencies });
    if (kind === "compiled") {
      const denort = Deno.env.get("DENORT_BIN");
      await compileProgram(program, output, { denort, dependencies });
    } else {
      await makePortable({ deno: Deno.execPath(), program }, output);
    }
    const version = await checkVersion(kind, output, work);
    await Deno.rename(output, EXECUTABLE);
    return version;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/**
 * Makes {@linkcode EXECUTABLE} of the kind that can be had here, and resolves
 * with what it says of itself; `say` is told why it is not the better one.
 */
export async function buildBest(say: (line: string) => void): Promise<string> {
  try {
    return await build("compiled");
  } catch (error) {
    if (!(error instanceof DenortError)) throw error;
    say(`Portable and not compiled: ${error.message}`);
    return await build("portable");
  }
}

/** Runs what was built; a denort of another version shows here. */
async function checkVersion(
  kind: BuildKind,
  executable: string,
  work: string,
): Promise<string> {
  const wanted =
    `keylime_agent ${VERSION} (${kind}, Deno ${Deno.version.deno})`;
  const env = { CACHE_DIRECTORY: `${work}/cache` };
  const said = await runCommand([executable, "--version"], { env }).then(
    (output) => output.split("\n")[0],
    (error: Error) => error.message,
  );
  if (said === wanted) return wanted;
  const problem = `The new executable says "${said}", not "${wanted}"`;
  throw kind === "compiled"
    ? new DenortError(`${problem}: it was compiled with another denort`)
    : new Error(problem);
}

if (import.meta.main) {
  try {
    const { values } = parseArgs({
      args: Deno.args,
      options: { portable: { type: "boolean", default: false } },
    });
    const version = await build(values.portable ? "portable" : "compiled");
    process.stdout.write(`dist/keylime_agent: ${version}\n`);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`build: ${message}\n`);
    process.exitCode = 1;
  }
}
