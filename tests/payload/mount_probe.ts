/**
 * Opens the secure mount that its argument describes and prints what became of
 * it, for tests that run it in a mount namespace.
 *
 * @module
 */

import process from "node:process";
import { describe, LEVELS, type Log } from "../../log/log.ts";
import {
  openSecureMount,
  type SecureMountOptions,
} from "../../payload/secure_mount.ts";

/** What {@linkcode openSecureMount} did. */
export interface MountReport {
  readonly kind: "ready" | "unavailable" | "thrown";
  readonly reason?: string;
  readonly room?: number;
  readonly log: readonly string[];
  /** Mode, owner and mount options of the directory afterwards. */
  readonly status?: string;
  readonly options?: string;
}

const options: SecureMountOptions = JSON.parse(Deno.args[0] ?? "");
const log: string[] = [];
const recording = Object.fromEntries(
  LEVELS.map((level) => [
    level,
    (line: string): void => void log.push(`${level} ${line}`),
  ]),
) as Log;

async function report(): Promise<MountReport> {
  try {
    const place = await openSecureMount(options, recording);
    if (place.kind === "unavailable") return { ...place, log };
    const { mode, uid, gid } = await Deno.stat(options.path);
    const table = await Deno.readTextFile("/proc/self/mountinfo");
    return {
      kind: "ready",
      room: await place.mount.room(),
      log,
      status: `${((mode ?? 0) & 0o7777).toString(8)} ${uid}:${gid}`,
      options: table.split("\n").findLast((line) =>
        line.includes(` ${options.path} `)
      ) ?? "",
    };
  } catch (error) {
    return { kind: "thrown", reason: describe(error), log };
  }
}

process.stdout.write(JSON.stringify(await report()));
