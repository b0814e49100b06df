/**
 * The few things configuration needs from a file system.
 *
 * @module
 */

/** What a path holds: a regular file, something else, or nothing. */
export type Found =
  | {
    readonly kind: "file";
    readonly bytes: Uint8Array;
    /** Whether every user of the machine may read it. */
    readonly isWorldReadable: boolean;
  }
  | { readonly kind: "other"; readonly isDirectory: boolean }
  | { readonly kind: "absent" };

/** Read access to configuration; failures other than absence are thrown. */
export interface ConfigFiles {
  /** What is at `path`, links followed. */
  read(path: string): Promise<Found>;
  /** The names in directory `path`, or undefined when nothing is there. */
  list(path: string): Promise<readonly string[] | undefined>;
  /**
   * The absolute path of directory `path` with all links resolved, or
   * undefined when no directory is there.
   */
  directory(path: string): Promise<string | undefined>;
}

/**
 * The machine's file system, or the part of it under `root` seen as a whole
 * one, as tests need it.
 */
export function systemFiles(root = ""): ConfigFiles {
  return {
    async read(path: string): Promise<Found> {
      const info = await orUndefined(Deno.stat(root + path));
      if (info === undefined) return { kind: "absent" };
      // A FIFO would block and a device never end.
      if (!info.isFile) {
        return { kind: "other", isDirectory: info.isDirectory };
      }
      return {
        kind: "file",
        bytes: await Deno.readFile(root + path),
        isWorldReadable: ((info.mode ?? 0) & 0o004) !== 0,
      };
    },
    async list(path: string): Promise<readonly string[] | undefined> {
      const names = Array.fromAsync(Deno.readDir(root + path), (e) => e.name);
      return await orUndefined(names);
    },
    async directory(path: string): Promise<string | undefined> {
      const info = await orUndefined(Deno.stat(root + path));
      if (!info?.isDirectory) return undefined;
      const real = await Deno.realPath(root + path);
      if (root === "") return real;
      const realRoot = await Deno.realPath(root);
      return real.startsWith(`${realRoot}/`)
        ? real.slice(realRoot.length)
        : real;
    },
  };
}

/** The value of `promise`, or undefined when it fails with "not found". */
async function orUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
