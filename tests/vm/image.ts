/**
 * What every virtual machine starts from: a root file system without the agent,
 * and a boot disk. Made once from Debian's packages and kept, by the hash of
 * what defines it.
 *
 * @module
 */

import { runOk } from "../lab/command.ts";
import type { Say } from "../lab/setup.ts";
import { cacheDirectory, exists } from "../lab/tools.ts";
import { makeBootDisk } from "./boot_disk.ts";
import { makeRootTree } from "./root_tree.ts";

/** The sources that decide over an image's content. */
const DEFINITION = [
  "boot_disk.ts",
  "root_tree.ts",
  "guest/default.preset",
  "guest/grub.cfg",
  "guest/init",
  "guest/rpm-macros",
  "guest/vm-control",
  "guest/vm-control.service",
  "guest/vm.network",
  "/etc/os-release",
];

/** A complete image; nobody changes it. */
export interface Image {
  /** Directory with the root file system. */
  readonly root: string;
  /** Raw disk that the firmware boots from. */
  readonly bootDisk: string;
}

/**
 * The image of this definition, made if it is not there. Parallel runs wait for
 * the one that came first; one that was cut off starts afresh.
 *
 * @throws Error when a package cannot be had
 */
export async function ensureImage(say: Say): Promise<Image> {
  const directory = await cacheDirectory("vm", await definition());
  await Deno.mkdir(directory, { recursive: true });
  using lock = await Deno.open(`${directory}.lock`, {
    create: true,
    write: true,
  });
  await lock.lock(true);
  const image = {
    root: `${directory}/root`,
    bootDisk: `${directory}/boot.img`,
  };
  const isComplete = `${directory}/complete`;
  if (await exists(isComplete)) {
    say(`The virtual machine's image is there: ${directory}`);
    return image;
  }
  say(`Making the virtual machine's image in ${directory}`);
  await Deno.remove(directory, { recursive: true });
  await Deno.mkdir(directory);
  await withApt(["apt-get", "update", "-q"]);
  await makeRootTree(image.root, withApt);
  await makeBootDisk(image.bootDisk, withApt);
  await Deno.writeTextFile(isComplete, "");
  return image;
}

async function definition(): Promise<Uint8Array<ArrayBuffer>> {
  const files = DEFINITION.map((file) =>
    Deno.readFile(new URL(file, import.meta.url))
  );
  return new Uint8Array(await new Blob(await Promise.all(files)).arrayBuffer());
}

/** Runs a program that downloads packages, and resolves with its output. */
export type WithApt = (
  argv: readonly string[],
  cwd?: string,
) => Promise<string>;

/** With the whole environment: proxies, certificates and mirrors count here. */
const withApt: WithApt = async (argv, cwd) => {
  return await runOk(argv, {
    env: Deno.env.toObject(),
    timeoutMs: 900_000,
    ...(cwd === undefined ? {} : { cwd }),
  });
};
