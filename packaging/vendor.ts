/**
 * `./dev vendor`: makes `dist/vendor.tar.gz`, everything that a build takes from
 * the network but Deno itself. Unpacked at the root it is `vendor/`.
 *
 * @module
 */

import { dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { packDirectory } from "./archive.ts";
import { bundleProgram } from "./bundle.ts";
import { runCommand } from "./command.ts";
import { REGISTRY } from "./dependencies.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** Where the archive is. */
export const VENDOR_ARCHIVE = `${ROOT}/dist/vendor.tar.gz`;

/**
 * Makes {@linkcode VENDOR_ARCHIVE} anew. Everything is fetched anew too, because
 * Deno compares packages with deno.lock when it fetches them.
 *
 * @throws CommandError when the network fails, or deno.lock is outdated
 */
export async function vendor(): Promise<void> {
  await Deno.mkdir(`${ROOT}/dist`, { recursive: true });
  const work = await Deno.makeTempDir({
    dir: `${ROOT}/dist`,
    prefix: ".vendor-",
  });
  try {
    const cache = `${work}/cache`;
    const env = { DENO_DIR: cache };
    const dependencies = { env };
    await bundleProgram(ROOT, `${work}/agent.js`, {
      format: "esm",
      dependencies,
    });
    const vendored = `${work}/tree/vendor`;
    await Deno.mkdir(vendored, { recursive: true });
    await Deno.rename(`${cache}/dl`, `${vendored}/dl`);
    // Lists of versions, which change daily, and the tests' packages stay out.
    for (const { name, version, localPath } of await packagesOf(env)) {
      const to = `${vendored}/npm/${REGISTRY}/${name}/${version}`;
      await Deno.mkdir(dirname(to), { recursive: true });
      await Deno.rename(localPath, to);
    }
    await packDirectory(`${work}/tree`, `${work}/vendor.tar.gz`);
    await Deno.rename(`${work}/vendor.tar.gz`, VENDOR_ARCHIVE);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** An npm package as `deno info` has it. */
interface NpmPackage {
  readonly name: string;
  readonly version: string;
  readonly dependencies: readonly string[];
  /** Its directory in Deno's cache. */
  readonly localPath: string;
}

/** The packages that the program imports, and those that they do in turn. */
async function packagesOf(env: { DENO_DIR: string }): Promise<NpmPackage[]> {
  const info = await runCommand(
    [Deno.execPath(), "info", "--json", `${ROOT}/main.ts`],
    { env, cwd: ROOT },
  );
  const { modules, npmPackages } = JSON.parse(info) as {
    readonly modules: readonly { readonly npmPackage?: string }[];
    readonly npmPackages: Readonly<Record<string, NpmPackage>>;
  };
  const found = new Map<string, NpmPackage>();
  const visit = (id: string | undefined): void => {
    if (id === undefined || found.has(id)) return;
    const npmPackage = npmPackages[id];
    if (npmPackage === undefined) throw new Error(`Deno knows no "${id}"`);
    found.set(id, npmPackage);
    npmPackage.dependencies.forEach(visit);
  };
  modules.forEach(({ npmPackage }) => visit(npmPackage));
  return [...found.values()];
}

if (import.meta.main) {
  try {
    await vendor();
    process.stdout.write("dist/vendor.tar.gz\n");
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`vendor: ${message}\n`);
    process.exitCode = 1;
  }
}
