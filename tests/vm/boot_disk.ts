/**
 * The disk that the virtual machine's firmware boots from, as a machine with
 * Secure Boot has it: shim, GRUB and kernel, signed by whom Debian has them
 * signed, and an initial root file system.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { runOk } from "../lab/command.ts";
import type { WithApt } from "./image.ts";
import { BUSYBOX } from "./requirements.ts";

const GUEST = fileURLToPath(new URL("guest", import.meta.url));

const KERNEL = "linux-image-amd64";
const LOADERS = ["shim-signed", "grub-efi-amd64-signed"];

/** What the machine's disks, network and control port need, and what mounts. */
const MODULES = [
  "virtio_pci",
  "virtio_blk",
  "virtio_net",
  "virtio_console",
  "crc32c_generic",
  "ext4",
  "overlay",
];

/** Makes it as the new file `disk`. */
export async function makeBootDisk(
  disk: string,
  withApt: WithApt,
): Promise<void> {
  const work = `${disk}.work`;
  await Deno.mkdir(work);
  await unpack(work, withApt);
  const [release] = await names(`${work}/lib/modules`);
  if (release === undefined) throw new Error(`"${KERNEL}" has no modules`);
  await makeInitialRoot(work, release);
  await runOk(["truncate", "--size=32M", disk]);
  await runOk(["mkfs.vfat", "-n", "BOOT", disk]);
  const directories = ["EFI", "EFI/BOOT", "EFI/debian"];
  await runOk(["mmd", "-i", disk, ...directories.map((name) => `::/${name}`)]);
  const files = {
    "EFI/BOOT/BOOTX64.EFI": `${work}/usr/lib/shim/shimx64.efi.signed`,
    "EFI/BOOT/grubx64.efi":
      `${work}/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed`,
    "EFI/debian/grub.cfg": `${GUEST}/grub.cfg`,
    "vmlinuz": `${work}/boot/vmlinuz-${release}`,
    "initrd.gz": `${work}/initrd.gz`,
  };
  for (const [target, source] of Object.entries(files)) {
    await runOk(["mcopy", "-i", disk, source, `::/${target}`]);
  }
  await Deno.remove(work, { recursive: true });
}

/** Takes kernel and boot loaders out of their packages, installing nothing. */
async function unpack(work: string, withApt: WithApt): Promise<void> {
  // The package depends on that of the newest kernel.
  const depends = await withApt([
    "apt-cache",
    "depends",
    "--important",
    KERNEL,
  ]);
  const kernel = /Depends: (linux-image-\d\S*)/.exec(depends)?.[1];
  if (kernel === undefined) throw new Error(`"${KERNEL}" depends on no kernel`);
  await withApt(["apt-get", "download", "-q", kernel, ...LOADERS], work);
  for (const name of await names(work)) {
    if (name.endsWith(".deb")) {
      await runOk(["dpkg", "-x", `${work}/${name}`, work]);
    }
  }
}

async function makeInitialRoot(work: string, release: string): Promise<void> {
  const root = `${work}/initial`;
  for (const name of ["bin", "dev", "modules", "new", "proc", "sys"]) {
    await Deno.mkdir(`${root}/${name}`, { recursive: true });
  }
  await Deno.copyFile(BUSYBOX, `${root}/bin/busybox`);
  await runOk(["install", "-m", "0755", `${GUEST}/init`, `${root}/init`]);
  await runOk(["depmod", "-b", work, release]);
  const order = await modulesInOrder(work, release);
  for (const path of order) {
    await Deno.copyFile(path, `${root}/modules/${nameOf(path)}`);
  }
  const lines = order.map((path) => `${nameOf(path)}\n`).join("");
  await Deno.writeTextFile(`${root}/modules/order`, lines);
  await runOk([
    ...["sh", "-c"],
    "find . | cpio --quiet -o -H newc | gzip -1 >../initrd.gz",
  ], { cwd: root });
}

/** Files of the modules, each behind those that it needs. */
async function modulesInOrder(
  work: string,
  release: string,
): Promise<string[]> {
  const paths = new Set<string>();
  for (const module of MODULES) {
    const lines = await runOk([
      ...["modprobe", "-d", work, "-S", release],
      ...["--show-depends", module],
    ]);
    for (const [, path] of lines.matchAll(/^insmod (\S+)/gm)) {
      if (path !== undefined) paths.add(path);
    }
  }
  return [...paths];
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

async function names(directory: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(directory)))
    .map(({ name }) => name);
}
