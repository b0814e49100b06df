/**
 * What the virtual machine needs from the machine that it runs on.
 *
 * @module
 */

import { installSystemPackages, type Say } from "../lab/setup.ts";
import { exists, missingPrograms } from "../lab/tools.ts";

/** Firmware with Secure Boot, and its variables with the usual keys in them. */
export const FIRMWARE = {
  code: "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
  variables: "/usr/share/OVMF/OVMF_VARS_4M.ms.fd",
} as const;

/** What goes into the initial root file system; linked statically. */
export const BUSYBOX = "/bin/busybox";

const PROGRAMS = [
  "cpio",
  "depmod",
  "mcopy",
  "mkfs.vfat",
  "mke2fs",
  "mmdebstrap",
  "qemu-system-x86_64",
  "rpmbuild",
  "unshare",
];

/** Why no virtual machine can be made here whatever is installed. */
export async function reasonToSkip(): Promise<string | undefined> {
  if (Deno.build.arch !== "x86_64") return "it is one of x86_64 only";
  const release = await Deno.readTextFile("/etc/os-release").catch(() => "");
  if (!/^ID=debian$/m.test(release)) {
    return "it is made of the host's own packages, which must be Debian's";
  }
  if (Deno.uid() !== 0) return "only root can make its root file system";
  return undefined;
}

/**
 * Installs what is missing.
 *
 * @throws Error that says what to do, when it cannot
 */
export async function setUpVm(say: Say): Promise<void> {
  if ((await missing()).length === 0) return;
  say(`Missing for the virtual machine: ${(await missing()).join(", ")}`);
  await installSystemPackages("vm", say);
  const still = await missing();
  if (still.length > 0) {
    throw new Error(`Still missing after that: ${still.join(", ")}`);
  }
}

async function missing(): Promise<string[]> {
  const lacking = await missingPrograms(PROGRAMS);
  for (const file of [...Object.values(FIRMWARE), BUSYBOX]) {
    if (!await exists(file)) lacking.push(file);
  }
  return lacking;
}
