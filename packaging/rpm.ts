/**
 * `./dev rpm`: makes the packages in `dist/rpm`, the way the build service does
 * it: from a source archive and an archive of dependencies, without a network.
 *
 * @module
 */

import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import project from "../deno.json" with { type: "json" };
import { runCommand } from "./command.ts";
import { packSources } from "./source_archive.ts";
import { vendor, VENDOR_ARCHIVE } from "./vendor.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const SPEC = `${ROOT}/packaging/deno-keylime.spec`;
const OTHER_MACROS = `${ROOT}/packaging/macros.other`;

const USAGE = `Usage: ./dev rpm [--release N] [--output DIRECTORY]

Makes the source package and the packages of this tree in dist/rpm, or DIRECTORY.
`;

/** How the packages are made. */
export interface PackageOptions {
  /** Directory that gets them; made if missing. */
  readonly output: string;
  /** Release of this version. */
  readonly release: string;
  /** Path of the Deno that builds, and that becomes part of a portable agent. */
  readonly deno: string;
  /** Path of its denort; a portable agent is made without. */
  readonly denort: string | undefined;
  /** Archive of what the build takes from the network. */
  readonly dependencies: string;
  /** Takes one line for whoever watches. */
  readonly say: (line: string) => void;
}

/**
 * Makes the packages of the tree around this file: its files as they are now,
 * those that git does not know yet among them.
 *
 * @returns paths of the packages, the source package first
 * @throws Error when a program fails that this takes, with what it said last
 */
export async function buildPackages(
  options: PackageOptions,
): Promise<string[]> {
  const { dependencies, output, release } = options;
  const top = await Deno.makeTempDir({ prefix: "deno-keylime-rpm-" });
  try {
    const name = `deno-keylime-${project.version}`;
    await Deno.mkdir(`${top}/SOURCES`);
    const archive = `${top}/SOURCES/${name}.tar.gz`;
    await packSources(ROOT, { name, archive });
    await Deno.copyFile(dependencies, `${top}/SOURCES/vendor.tar.gz`);
    await writeSpec(`${top}/deno-keylime.spec`, release);
    await rpmbuild(top, options);
    return await collect(top, output);
  } finally {
    await Deno.remove(top, { recursive: true });
  }
}

/** The spec file with the version of deno.json, and a release. */
async function writeSpec(path: string, release: string): Promise<void> {
  const spec = await Deno.readTextFile(SPEC);
  const changed = spec
    .replace(/^(Version: +).*$/m, `$1${project.version}`)
    .replace(/^(Release: +).*$/m, `$1${release}`);
  await Deno.writeTextFile(path, changed);
}

async function rpmbuild(
  top: string,
  { deno, denort, say }: PackageOptions,
): Promise<void> {
  const isForeign = !await isMacro("service_add_pre");
  if (isForeign) say(`These are not openSUSE's macros; adding ${OTHER_MACROS}`);
  if (denort === undefined) {
    say("There is no denort, so the executable is made to unpack itself");
  }
  const kind = denort === undefined
    ? ["--with", "portable"]
    : ["--define", `denort ${denort}`];
  const argv = [
    ...["rpmbuild", "-ba", "--define", `_topdir ${top}`],
    // Deno need not be a package, nor the others rpm's.
    "--nodeps",
    ...(isForeign ? [`--load=${OTHER_MACROS}`] : []),
    ...["--define", `deno ${deno}`, ...kind],
    `${top}/deno-keylime.spec`,
  ];
  const isolated = await isolation(say);
  say(`Running ${argv.join(" ")}`);
  await runCommand([...isolated, ...argv], {
    cwd: ROOT,
    env: { LANG: "C.UTF-8" },
  });
}

async function isMacro(name: string): Promise<boolean> {
  return await runCommand(["rpm", "--eval", `%{?${name}:yes}`]) === "yes\n";
}

/** What to put before a command so that it has no network. */
async function isolation(say: (line: string) => void): Promise<string[]> {
  const ways = [
    ["unshare", "--net"],
    ["unshare", "--user", "--map-root-user", "--net"],
  ];
  for (const way of ways) {
    const works = await runCommand([...way, "true"]).then(
      () => true,
      () => false,
    );
    if (works) return way;
  }
  say(
    "The network cannot be taken away here, so nothing shows that it is not used",
  );
  return [];
}

/** Moves the packages to `output`; what they replace there goes. */
async function collect(top: string, output: string): Promise<string[]> {
  await Deno.mkdir(output, { recursive: true });
  for await (const { name } of Deno.readDir(output)) {
    if (name.endsWith(".rpm")) await Deno.remove(`${output}/${name}`);
  }
  const packages: string[] = [];
  for (const directory of ["SRPMS", "RPMS/noarch", `RPMS/${Deno.build.arch}`]) {
    for await (const { name } of Deno.readDir(`${top}/${directory}`)) {
      await Deno.copyFile(`${top}/${directory}/${name}`, `${output}/${name}`);
      packages.push(`${output}/${name}`);
    }
  }
  return packages;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      help: { type: "boolean", short: "h" },
      output: { type: "string", default: `${ROOT}/dist/rpm` },
      release: { type: "string", default: "0" },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const say = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  say("Collecting what the build takes from the network");
  await vendor();
  const packages = await buildPackages({
    dependencies: VENDOR_ARCHIVE,
    output: values.output,
    release: values.release,
    deno: Deno.execPath(),
    denort: Deno.env.get("DENORT_BIN"),
    say,
  });
  for (const path of packages) process.stdout.write(`${path}\n`);
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${message}\n`);
    process.exitCode = 1;
  }
}
