/**
 * The directory `unzipped` in the secure mount, which always holds one whole
 * delivery or none: a new one is built beside it and takes its place.
 *
 * @module
 */

import { dirname, isAbsolute, join } from "node:path";
import type { Log } from "../log/log.ts";
import { PayloadError } from "./error.ts";
import type { SecureMount } from "./secure_mount.ts";
import type { UnpackedEntry } from "./unpack.ts";

/** The name that the contract gives it. */
const NAME = "unzipped";

/** Names of what a delivery leaves when it is interrupted. */
const NEW = /^\.unzipped\.[0-9a-f-]{36}\.new$/;
const OLD = /^\.unzipped\.[0-9a-f-]{36}\.old$/;

/** What a tmpfs charges a file by. */
const PAGE = 4_096;

/** The one delivery that is there. */
export class UnzippedDirectory {
  /** Absolute path, `K/secure/unzipped`. */
  readonly path: string;
  readonly #mount: SecureMount;
  readonly #log: Log;

  /**
   * Touches nothing yet.
   *
   * @param log gets each step at level debug
   */
  constructor(mount: SecureMount, log: Log) {
    this.path = join(mount.path, NAME);
    this.#mount = mount;
    this.#log = log;
  }

  /**
   * Removes what an interrupted delivery left. If it was interrupted between
   * its last two steps, the delivery before it is put back.
   */
  async tidy(): Promise<void> {
    const left: string[] = [];
    for await (const { name } of Deno.readDir(this.#mount.path)) {
      if (NEW.test(name) || OLD.test(name)) left.push(name);
    }
    if (left.length === 0) return;
    const isThere = await Deno.lstat(this.path).then(() => true, () => false);
    const old = left.find((name) => OLD.test(name));
    if (!isThere && old !== undefined) {
      await Deno.rename(join(this.#mount.path, old), this.path);
    }
    for (const name of left) await remove(join(this.#mount.path, name));
    this.#log.info(
      `Removed what an interrupted delivery left in ${this.#mount.path}`,
    );
  }

  /** Bytes that a new delivery may have: what is free, and what it replaces. */
  async room(): Promise<number> {
    return await this.#mount.room() + await sizeOf(this.path);
  }

  /**
   * Puts `entries` in the place of whatever is there, at once.
   *
   * @throws {PayloadError} when they do not fit or the mount is no longer fit
   * for secrets; what is there stays
   */
  async replace(entries: readonly UnpackedEntry[]): Promise<void> {
    await this.#mount.verify();
    const needed = entries.reduce(
      (sum, { content }) => sum + pagesOf(content?.length ?? 0),
      0,
    );
    const free = await this.#mount.room();
    const freed = await sizeOf(this.path);
    if (needed > free + freed) {
      throw new PayloadError(
        "size",
        `The payload takes ${needed} bytes and ${this.#mount.path} has room ` +
          `for ${free + freed}; raise option "secure_size" or the mount's size`,
      );
    }
    const base = join(this.#mount.path, `.${NAME}.${crypto.randomUUID()}`);
    // Only where both do not fit beside each other, there is none for a while.
    if (needed > free) await this.#setAside(`${base}.old`, "removed");
    try {
      await this.#build(`${base}.new`, entries);
      await this.#setAside(`${base}.old`, "kept");
      await Deno.rename(`${base}.new`, this.path);
    } catch (cause) {
      await remove(`${base}.new`);
      await Deno.rename(`${base}.old`, this.path).catch(() => {});
      throw new PayloadError("size", `Cannot write to ${this.#mount.path}`, {
        cause,
      });
    }
    this.#step("The new payload is in place");
    await remove(`${base}.old`);
    this.#step("The old payload is removed");
  }

  /** Makes the file `name` below it the owner's to execute; false without one. */
  async makeExecutable(name: string): Promise<boolean> {
    if (isAbsolute(name) || name.split("/").includes("..")) return false;
    const path = join(this.path, name);
    const status = await Deno.lstat(path).catch(() => undefined);
    if (status === undefined || !status.isFile) return false;
    await Deno.chmod(path, 0o700);
    return true;
  }

  async #build(
    path: string,
    entries: readonly UnpackedEntry[],
  ): Promise<void> {
    await Deno.mkdir(path, { mode: 0o700 });
    this.#step("The new payload's directory is made");
    for (const { path: name, mode, content } of entries) {
      const target = join(path, name);
      if (content === undefined) {
        await Deno.mkdir(target, { recursive: true, mode: 0o700 });
        continue;
      }
      await Deno.mkdir(dirname(target), { recursive: true, mode: 0o700 });
      await Deno.writeFile(target, content, { createNew: true, mode: 0o600 });
      if (mode !== 0o600) await Deno.chmod(target, mode);
      this.#step("A file of the new payload is written");
    }
  }

  async #setAside(path: string, then: "kept" | "removed"): Promise<void> {
    try {
      await Deno.rename(this.path, path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw error;
    }
    this.#step("The old payload is set aside");
    if (then === "removed") await remove(path);
  }

  #step(what: string): void {
    this.#log.debug(what);
  }
}

function pagesOf(size: number): number {
  return Math.ceil(size / PAGE) * PAGE;
}

/** Bytes of the mount that the files below `path` occupy. */
async function sizeOf(path: string): Promise<number> {
  let sum = 0;
  const status = await Deno.lstat(path).catch(() => undefined);
  if (status === undefined) return 0;
  if (!status.isDirectory) return (status.blocks ?? 0) * 512;
  for await (const { name } of Deno.readDir(path)) {
    sum += await sizeOf(join(path, name));
  }
  return sum;
}

async function remove(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
