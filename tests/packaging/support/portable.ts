/**
 * Portable executables for tests.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { makePortable } from "../../../packaging/portable.ts";
import { type CommandOutput, run } from "../../lab/command.ts";

const FAKE_DENO = fileURLToPath(new URL("fake_deno.sh", import.meta.url));

const IS_ROOT = Deno.uid() === 0;

/** Makes commands run as somebody who is not root. */
const AS_NOBODY = IS_ROOT
  ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
  : [];

/** A portable executable, and a place for it to unpack to. */
export class Portable implements AsyncDisposable {
  /** A directory that everybody may enter, with nothing else in it. */
  readonly directory: string;
  /** The executable. */
  readonly executable: string;
  /** The value for `CACHE_DIRECTORY`; not there yet. */
  readonly cache: string;

  private constructor(directory: string) {
    this.directory = directory;
    this.executable = `${directory}/keylime_agent`;
    this.cache = `${directory}/cache`;
  }

  /**
   * Makes one of `deno`, which is a script unless told, and `program`.
   * `ballast` bytes that cannot be compressed make unpacking take its time.
   */
  static async make(
    { deno = FAKE_DENO, program = "", ballast = 0 }: {
      readonly deno?: string;
      readonly program?: string;
      readonly ballast?: number;
    } = {},
  ): Promise<Portable> {
    const portable = new Portable(await Deno.makeTempDir());
    await Deno.chmod(portable.directory, 0o755);
    await portable.rebuild(program, { deno, ballast });
    return portable;
  }

  /** Puts the executable of another program in its place. */
  async rebuild(
    program: string,
    { deno = FAKE_DENO, ballast = 0 }: {
      readonly deno?: string;
      readonly ballast?: number;
    } = {},
  ): Promise<void> {
    const parts = {
      deno: `${this.directory}/deno`,
      program: `${this.directory}/program.js`,
    };
    await Deno.copyFile(deno, parts.deno);
    for (let left = ballast; left > 0; left -= 65_536) {
      const noise = crypto.getRandomValues(new Uint8Array(65_536));
      await Deno.writeFile(parts.deno, noise, { append: true });
    }
    await Deno.writeTextFile(parts.program, program);
    await makePortable(parts, this.executable);
    await Deno.remove(parts.deno);
    await Deno.remove(parts.program);
  }

  /** Runs it with `args`, and by default no variable but `CACHE_DIRECTORY`. */
  run(
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<CommandOutput> {
    const { env = { CACHE_DIRECTORY: this.cache }, isNobody = false } = options;
    const { by = [], cwd = this.directory } = options;
    return run([
      ...isNobody ? AS_NOBODY : [],
      ...["/usr/bin/env", "--ignore-environment"],
      ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
      ...by,
      this.executable,
      ...args,
    ], { cwd });
  }

  /** Names of what is in the cache, sorted. */
  async cached(): Promise<string[]> {
    const entries = await Array.fromAsync(Deno.readDir(this.cache));
    return entries.map(({ name }) => name).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** How a portable executable is run. */
export interface RunOptions {
  /** Its whole environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether by somebody who is not root. */
  readonly isNobody?: boolean;
  /** Program that runs it, with arguments, such as a shell. */
  readonly by?: readonly string[];
  /** Its working directory. */
  readonly cwd?: string;
}

/**
 * A shell command to put before a program, which runs it where the directory
 * `$MOUNT` is a small file system of its own with `options`. Root's only.
 */
export function onOwnFileSystem(point: string, options: string): string[] {
  const script = 'mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@"';
  return ["unshare", "--mount", "sh", "-c", script, "sh", options, point];
}

/** Whether this test program is root, and may mount in a room of its own. */
export async function mayMount(): Promise<boolean> {
  if (!IS_ROOT) return false;
  const { code } = await run(["unshare", "--mount", "true"]);
  return code === 0;
}
