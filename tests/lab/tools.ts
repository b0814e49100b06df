/**
 * What the lab needs from the machine, and whether it is there. `setup.ts`
 * puts it there; tests only look.
 *
 * @module
 */

/** The command that makes whatever {@linkcode ensureLab} misses. */
const SET_UP = "deno run -A tests/lab/setup.ts";

/** Pins of every package in the Python environment. */
const REQUIREMENTS = new URL("control_plane/requirements.txt", import.meta.url);

/** Programs the tests run; the verifier itself runs `tpm2_eventlog`. */
const PROGRAMS = [
  "openssl",
  "swtpm",
  "swtpm_setup",
  "swtpm_localca",
  "tpm2_createek",
  "tpm2_nvdefine",
  "tpm2_eventlog",
  // The tests of the package.
  "cpio",
  "mandoc",
  "rpmbuild",
  "rpmlint",
  "shellcheck",
  "strip",
  "systemd-analyze",
  "systemd-sysusers",
  "systemd-tmpfiles",
  "udevadm",
];

/** Keylime's verifier loads it to read UEFI variables in event logs. */
const EFIVAR = "libefivar.so.1";
const LIBRARY_DIRECTORIES = [
  "/usr/lib64",
  "/usr/lib",
  "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu",
];

/** Where the lab's tools are on this machine. */
export interface LabTools {
  /** Interpreter of the environment that Keylime is installed in. */
  readonly python: string;
  /** Directory with `keylime_verifier`, `keylime_tenant` and their kin. */
  readonly keylimeBin: string;
}

/** A Python that can carry Keylime. */
export interface SystemPython {
  /** Path of the interpreter. */
  readonly path: string;
  /** Directory of its `gpg` module, which pip cannot install. */
  readonly gpg: string;
}

/** The programs and libraries, by name, that this machine lacks. */
export async function missingSystemParts(): Promise<string[]> {
  const missing = await missingPrograms(PROGRAMS);
  if (!await isInOneOf(LIBRARY_DIRECTORIES, EFIVAR)) missing.push(EFIVAR);
  return missing;
}

/** Those of `programs` that are not in `PATH`. */
export async function missingPrograms(
  programs: readonly string[],
): Promise<string[]> {
  const path = (Deno.env.get("PATH") ?? "").split(":").filter((d) => d !== "");
  const missing: string[] = [];
  for (const program of programs) {
    if (!await isInOneOf(path, program)) missing.push(program);
  }
  return missing;
}

async function isInOneOf(
  directories: readonly string[],
  name: string,
): Promise<boolean> {
  for (const directory of directories) {
    if (await exists(`${directory}/${name}`)) return true;
  }
  return false;
}

/** Whether `path` leads to something. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * The distribution's newest Python from 3.10 on that has the modules `gpg`,
 * `venv` and `ensurepip`, or undefined. Only the distribution's own will do:
 * its `gpg` is compiled for that interpreter and the installed GnuPG.
 */
export async function findPython(): Promise<SystemPython | undefined> {
  const script = "import sys, os, gpg, venv, ensurepip; " +
    "assert sys.version_info >= (3, 10); " +
    "print(os.path.realpath(sys.executable), os.path.dirname(gpg.__file__))";
  for (const name of ["python3", "python3.13", "python3.12", "python3.11"]) {
    if (!await exists(`/usr/bin/${name}`)) continue;
    const { success, stdout } = await new Deno.Command(`/usr/bin/${name}`, {
      args: ["-c", script],
      stderr: "null",
    }).output();
    const [path, gpg] = new TextDecoder().decode(stdout).trim().split(" ");
    if (success && path !== undefined && gpg !== undefined) {
      return { path, gpg };
    }
  }
  return undefined;
}

/**
 * Directory for what is made once and kept, by the hash of `definition`: below
 * `$XDG_CACHE_HOME` or `~/.cache`. It need not exist.
 */
export async function cacheDirectory(
  kind: string,
  definition: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const cache = Deno.env.get("XDG_CACHE_HOME") ||
    `${Deno.env.get("HOME") || "/root"}/.cache`;
  const hash = await crypto.subtle.digest("SHA-256", definition);
  const name = new Uint8Array(hash).toHex().slice(0, 16);
  return `${cache}/deno-keylime/${kind}-${name}`;
}

/** Directory of the Python environment for the present pins. */
export async function environmentDirectory(): Promise<string> {
  return await cacheDirectory("venv", await Deno.readFile(REQUIREMENTS));
}

/** File in an environment that says it is complete, and with what Python. */
export function completionMark(environment: string): string {
  return `${environment}/complete.json`;
}

/** Whether the environment in that directory is complete and still usable. */
export async function isComplete(environment: string): Promise<boolean> {
  try {
    const mark: unknown = JSON.parse(
      await Deno.readTextFile(completionMark(environment)),
    );
    if (typeof mark !== "object" || mark === null) return false;
    const parts = Object.values(mark);
    const there = await Promise.all(parts.map((part) => exists(String(part))));
    return there.every((isThere) => isThere);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The tools in the environment of that directory. */
export function toolsIn(environment: string): LabTools {
  const keylimeBin = `${environment}/bin`;
  return { python: `${keylimeBin}/python`, keylimeBin };
}

/**
 * Where the lab's tools are. Looks at files only, so it is fast, and changes
 * nothing: tests neither install packages nor use the network.
 *
 * @throws Error that names what is missing and the command that provides it
 */
export async function ensureLab(): Promise<LabTools> {
  const environment = await environmentDirectory();
  const missing = await missingSystemParts();
  if (!await isComplete(environment)) missing.push("Keylime's control plane");
  if (missing.length > 0) {
    throw new Error(
      `The lab lacks ${missing.join(", ")}; make it with "${SET_UP}"`,
    );
  }
  return toolsIn(environment);
}
