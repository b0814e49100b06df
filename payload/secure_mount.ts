/**
 * The one place where a secret may be written: a memory-backed mount at
 * `K/secure` that nobody else can enter (contract section 2.1).
 *
 * It is believed by what it is, not by its name: its entry in the mount table,
 * the type of its file system, the device of the directory that is really
 * there, its owner and its mode; at the start and before every delivery.
 *
 * @module
 */

import { statfs } from "node:fs/promises";
import { describe, type Log } from "../log/log.ts";
import { PayloadError } from "./error.ts";
import { deviceOf, type Mount, mountsAt } from "./mount_table.ts";
import { runProgram } from "./program.ts";

/** Where `mount` is, with merged `/usr` and without. */
const MOUNT_PROGRAMS = ["/usr/bin/mount", "/bin/mount"];

const MOUNT_LIMIT_MS = 30_000;

/** A user and its group, by number. */
export interface Owner {
  /** User number. */
  readonly uid: number;
  /** Group number. */
  readonly gid: number;
}

/** How the secure mount is found or made. */
export interface SecureMountOptions {
  /** Absolute path, without symbolic links above its last part. */
  readonly path: string;
  /** The `size` option of a new tmpfs, such as `1m`. */
  readonly size: string;
  /** Whom it is for: who the agent will be once it has dropped root. */
  readonly owner: Owner;
  /** Who the agent is now; 0 may mount. */
  readonly uid: number;
}

/** A place for secrets, or why there is none. */
export type SecurePlace =
  | { readonly kind: "ready"; readonly mount: SecureMount }
  | { readonly kind: "unavailable"; readonly reason: string };

/**
 * Finds the secure mount, or makes it where the agent is root. Never unmounts.
 *
 * @throws {PayloadError} when something else than a tmpfs is mounted there,
 * which is a mistake that the administrator must see at once
 */
export async function openSecureMount(
  options: SecureMountOptions,
  log: Log,
): Promise<SecurePlace> {
  try {
    await makeIfMissing(options, log);
    await adopt(options, log);
    const mount = new SecureMount(options.path, options.owner.uid);
    await mount.verify();
    await noteSwap(options.path, log);
    return { kind: "ready", mount };
  } catch (error) {
    if (error instanceof WrongFileSystemError) throw error;
    return { kind: "unavailable", reason: describe(error) };
  }
}

/** A mount that was good when it was last looked at. */
export class SecureMount {
  /** Absolute path. */
  readonly path: string;
  readonly #uid: number;

  /**
   * Believes in a mount until {@linkcode verify} looks.
   *
   * @param uid the one user that may own it
   */
  constructor(path: string, uid: number) {
    this.path = path;
    this.#uid = uid;
  }

  /**
   * Looks again at everything that makes the mount fit for secrets.
   *
   * @throws {PayloadError} when it is not, or no longer
   */
  async verify(): Promise<void> {
    const status = await mounted(this.path);
    if (status.uid !== this.#uid) {
      throw unfit(
        this.path,
        `belongs to user ${status.uid}, not to ${this.#uid} as whom the ` +
          "agent runs; mount it with the option uid=",
      );
    }
    if ((status.mode & 0o777) !== 0o700) {
      throw unfit(
        this.path,
        `has mode ${octal(status.mode)}, which lets other users in or the ` +
          "agent out; set it to 0700",
      );
    }
  }

  /** Bytes that can still be written. */
  async room(): Promise<number> {
    const { bavail, bsize } = await statfs(this.path);
    return bavail * bsize;
  }
}

/** Something else than a tmpfs is mounted where secrets are to go. */
class WrongFileSystemError extends PayloadError {
  constructor(path: string, type: string) {
    super(
      "mount",
      `Secure mount error: Secure storage location ${path} already mounted ` +
        `on wrong file system type: ${type}; unmount it`,
    );
  }
}

function unfit(path: string, why: string): PayloadError {
  return new PayloadError("mount", `Secure storage location ${path} ${why}`);
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}

/** The directory at `path`, if it is the root of a tmpfs mounted there. */
async function mounted(
  path: string,
): Promise<Owner & { readonly mode: number; readonly mount: Mount }> {
  const [status, mounts] = await Promise.all([
    Deno.lstat(path).catch(() => undefined),
    mountsAt(path),
  ]);
  if (status === undefined || mounts.length === 0) {
    throw unfit(path, "is not mounted");
  }
  if (!status.isDirectory) throw unfit(path, "is not a directory");
  // Of several mounts on top of each other, one is there to be entered.
  const device = deviceOf(status.dev);
  const mount = mounts.findLast((each) => each.device === device);
  if (mount === undefined) {
    throw unfit(
      path,
      `is on device ${device}, which is not what is mounted there; a mount ` +
        "hides another",
    );
  }
  if (mount.type !== "tmpfs") throw new WrongFileSystemError(path, mount.type);
  const { uid, gid, mode } = status;
  return { uid: uid ?? -1, gid: gid ?? -1, mode: mode ?? 0, mount };
}

async function makeIfMissing(
  { path, size, uid }: SecureMountOptions,
  log: Log,
): Promise<void> {
  if ((await mountsAt(path)).length > 0) return;
  if (uid !== 0) {
    throw unfit(
      path,
      "is not mounted, and only root can mount it; start " +
        "var-lib-keylime-secure.mount, or the agent as root",
    );
  }
  await makeDirectory(path, log);
  // noswap keeps secrets off the disk; kernels before 6.4 do not know it.
  const refused = await mountTmpfs(path, `size=${size},mode=0700,noswap`);
  if (refused === undefined) return;
  const failed = await mountTmpfs(path, `size=${size},mode=0700`);
  if (failed !== undefined) throw unfit(path, `cannot be mounted: ${failed}`);
}

async function makeDirectory(path: string, log: Log): Promise<void> {
  try {
    await Deno.mkdir(path, { mode: 0o700 });
    log.info(`Directory "${path}" created`);
  } catch (error) {
    const status = await Deno.lstat(path).catch(() => undefined);
    if (status?.isDirectory) return;
    if (status !== undefined) throw unfit(path, "is not a directory");
    throw new PayloadError("mount", `Cannot create directory "${path}"`, {
      cause: error,
    });
  }
}

/** Mounts a tmpfs; returns what `mount` said if it could not. */
async function mountTmpfs(
  path: string,
  options: string,
): Promise<string | undefined> {
  const said: string[] = [];
  for (const program of MOUNT_PROGRAMS) {
    const outcome = await runProgram({
      path: program,
      args: ["-t", "tmpfs", "-o", `nosuid,nodev,${options}`, "tmpfs", path],
      cwd: "/",
      timeLimitMs: MOUNT_LIMIT_MS,
      onLine: (line) => said.push(line),
      signal: new AbortController().signal,
    });
    if (outcome.kind === "exited" && outcome.code === 0) return undefined;
    if (outcome.kind !== "not started") {
      return said.join(" ") || `${program} ${outcome.kind}`;
    }
    said.push(outcome.reason);
  }
  return said.join(" ");
}

/** Makes the mount the owner's alone, where the agent may. */
async function adopt(
  { path, owner, uid }: SecureMountOptions,
  log: Log,
): Promise<void> {
  const status = await mounted(path);
  const isOwners = status.uid === owner.uid && status.gid === owner.gid;
  if (uid === 0 && !isOwners) await Deno.chown(path, owner.uid, owner.gid);
  if ((status.mode & 0o777) === 0o700) return;
  if (uid !== 0 && status.uid !== uid) return;
  await Deno.chmod(path, 0o700);
  log.warn(
    `Secure storage location ${path} had mode ${octal(status.mode)}; ` +
      "it is 0700 now. Mount it with the option mode=0700",
  );
}

async function noteSwap(path: string, log: Log): Promise<void> {
  const { mount } = await mounted(path);
  if (mount.options.includes("noswap")) return;
  const swaps = await Deno.readTextFile("/proc/swaps").catch(() => "");
  if (swaps.trim().split("\n").length < 2) return;
  log.warn(
    `This machine swaps, and ${path} is mounted without the option noswap, ` +
      "so payloads may reach the swap space; encrypt it",
  );
}
