/**
 * Files the agent keeps between starts: keys, certificate, identity. A crash
 * leaves the old file or the new one, and a private file is at no instant
 * readable for others.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";

/** A file as {@linkcode readStateFile} found it. */
export interface StateFile {
  /** The whole content; bytes that are no UTF-8 became U+FFFD. */
  readonly text: string;
  /** Whether any user of the machine may read it. */
  readonly isExposed: boolean;
}

/** A file that the agent was given holds nothing that it can use. */
export class UnusableFileError extends Error {
  /** The class's name, also after bundling. */
  override readonly name = "UnusableFileError";
}

/**
 * The text of the file at `path`, or undefined when there is none. Throws
 * Error, naming the file's owner and mode, when it cannot be read.
 */
export async function readStateFile(
  path: string,
): Promise<StateFile | undefined> {
  try {
    const text = await Deno.readTextFile(path);
    const { mode } = await Deno.stat(path);
    return { text, isExposed: ((mode ?? 0) & 0o004) !== 0 };
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw new Error(
      `Cannot read ${JSON.stringify(path)} (${await ownership(path)}); ` +
        "make it a file that the user of the agent may read",
      { cause },
    );
  }
}

/**
 * Writes `content` to `path` with mode 0600, replacing what was there,
 * durably and at once. A symbolic link at `path` is replaced, not followed.
 * Throws Error naming the file.
 */
export function writePrivateFile(
  path: string,
  content: Uint8Array | string,
): Promise<void> {
  return replaceFile(path, { content, mode: 0o600 });
}

/** Like {@linkcode writePrivateFile}, with mode 0644, less the umask. */
export function writePublicFile(
  path: string,
  content: Uint8Array | string,
): Promise<void> {
  return replaceFile(path, { content, mode: 0o644 });
}

async function replaceFile(
  path: string,
  { content, mode }: { content: Uint8Array | string; mode: number },
): Promise<void> {
  const directory = dirname(path);
  const temporary = join(
    directory,
    `.${basename(path)}.${crypto.randomUUID()}.tmp`,
  );
  try {
    await createFile(temporary, { content, mode });
    try {
      await Deno.rename(temporary, path);
    } catch (cause) {
      await Deno.remove(temporary);
      throw cause;
    }
    // The new name is on disk only once its directory is.
    using opened = await Deno.open(directory, { read: true });
    await opened.sync();
  } catch (cause) {
    throw new Error(
      `Cannot write ${JSON.stringify(path)}; its directory must exist ` +
        `(${await ownership(directory)}), let the user of the agent write, ` +
        "and have free space",
      { cause },
    );
  }
}

async function createFile(
  path: string,
  { content, mode }: { content: Uint8Array | string; mode: number },
): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode });
  try {
    let rest = typeof content === "string"
      ? new TextEncoder().encode(content)
      : content;
    while (rest.length > 0) rest = rest.subarray(await file.write(rest));
    await file.sync();
  } catch (cause) {
    await Deno.remove(path);
    throw cause;
  }
}

async function ownership(path: string): Promise<string> {
  try {
    const { uid, gid, mode } = await Deno.stat(path);
    const bits = ((mode ?? 0) & 0o7777).toString(8).padStart(4, "0");
    return `owner uid ${uid}, gid ${gid}, mode ${bits}`;
  } catch (error) {
    return error instanceof Deno.errors.NotFound
      ? "it does not exist"
      : "owner unknown";
  }
}
