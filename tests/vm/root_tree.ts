/**
 * The virtual machine's root file system before any rpm of ours is in it: a
 * small Debian with systemd, set up like SLE Micro where it matters here.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { runOk } from "../lab/command.ts";
import type { WithApt } from "./image.ts";

const GUEST = fileURLToPath(new URL("guest", import.meta.url));

/** Besides essential ones. No package with a udev rule for TPMs is among them. */
const PACKAGES = ["systemd", "systemd-sysv", "udev", "kmod", "rpm"];

/** Nobody reads them there, and they are as large as the rest. */
const UNWANTED = [
  "/usr/share/doc/*",
  "/usr/share/locale/*",
  "/usr/share/man/*",
];

const UNITS = "usr/lib/systemd/system";

/** Where the files of `guest/` go. */
const FILES: Readonly<Record<string, string>> = {
  "default.preset": "usr/lib/systemd/system-preset/99-default.preset",
  "rpm-macros": "etc/rpm/macros",
  "vm-control": "usr/lib/vm/vm-control",
  "vm-control.service": `${UNITS}/vm-control.service`,
  "vm.network": "usr/lib/systemd/network/10-vm.network",
};

/** Nobody logs in; six terminals cost seconds under emulation. */
const MASKED = ["getty.target", "getty-static.service"];

const STARTED = ["vm-control.service", "systemd-networkd.service"];

/** Packages that openSUSE's rpms require by a name that is Debian's too. */
const NAMES = ["bash", "coreutils", "gzip", "systemd", "tar", "udev"];

/** What else rpms require that Debian provides, unknown to rpm. */
const PROVIDED = [
  "/bin/sh",
  "/usr/bin/systemd-sysusers",
  "glibc",
  "rtld(GNU_HASH)",
];

/** Makes it in the new directory `root`. */
export async function makeRootTree(
  root: string,
  withApt: WithApt,
): Promise<void> {
  const sources = `${root}.list`;
  await Deno.writeTextFile(sources, await debianSources(withApt));
  await withApt([
    ...["mmdebstrap", "--quiet", "--mode=root", "--variant=essential"],
    `--include=${PACKAGES.join(",")}`,
    '--aptopt=APT::Install-Recommends "false"',
    ...UNWANTED.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    ...[await codename(), root, sources],
  ]);
  await Deno.remove(sources);
  // Another disk takes its place, as on SLE Micro.
  await runOk(["find", `${root}/var`, "-mindepth", "1", "-delete"]);
  await addFiles(root);
  await registerStandIn(root);
}

async function codename(): Promise<string> {
  const release = await Deno.readTextFile("/etc/os-release");
  const name = /^VERSION_CODENAME=(.+)$/m.exec(release)?.[1];
  if (name === undefined) throw new Error("/etc/os-release has no code name");
  return name;
}

/** Where this machine has Debian's packages from, and nothing else. */
async function debianSources(withApt: WithApt): Promise<string> {
  const lines = await withApt([
    ...["apt-get", "indextargets"],
    ...["--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"],
    ...["Created-By: Packages", "Origin: Debian"],
  ]);
  return `${[...new Set(lines.trim().split("\n"))].join("\n")}\n`;
}

async function addFiles(root: string): Promise<void> {
  for (const [source, target] of Object.entries(FILES)) {
    const mode = source === "vm-control" ? "0755" : "0644";
    await runOk([
      ...["install", "-D", "-m", mode],
      ...[`${GUEST}/${source}`, `${root}/${target}`],
    ]);
  }
  const wants = `${root}/${UNITS}/multi-user.target.wants`;
  for (const unit of STARTED) {
    await Deno.symlink(`../${unit}`, `${wants}/${unit}`);
  }
  for (const unit of MASKED) {
    await Deno.symlink("/dev/null", `${root}/etc/systemd/system/${unit}`);
  }
  // Empty: a new id at the first boot, without the presets of a "first boot".
  await Deno.writeTextFile(`${root}/etc/machine-id`, "");
  await Deno.writeTextFile(`${root}/etc/hostname`, "attested\n");
}

/**
 * Tells the root's rpm database what Debian's packages provide, by a package
 * without files, so that rpm checks the dependencies of what is installed.
 */
async function registerStandIn(root: string): Promise<void> {
  const top = `${root}.rpm`;
  await Deno.mkdir(top);
  const provided = [...NAMES, ...PROVIDED, ...await libraries(root)];
  await Deno.writeTextFile(
    `${top}/stand-in.spec`,
    `Name: debian-stand-in
Version: 1
Release: 1
Summary: What Debian's packages provide
License: Apache-2.0
BuildArch: noarch
${provided.map((name) => `Provides: ${name}\n`).join("")}
%description
The virtual machine is made of Debian's packages, of which rpm knows nothing.
%files
`,
  );
  await runOk([
    ...["rpmbuild", "-bb", "--quiet", "--define", `_topdir ${top}`],
    `${top}/stand-in.spec`,
  ]);
  const built = `${top}/RPMS/noarch/debian-stand-in-1-1.noarch.rpm`;
  await Deno.copyFile(built, `${root}/run/stand-in.rpm`);
  await runOk(["chroot", root, "rpm", "--initdb"]);
  await runOk(["chroot", root, "rpm", "-U", "/run/stand-in.rpm"]);
  await Deno.remove(`${root}/run/stand-in.rpm`);
  await Deno.remove(top, { recursive: true });
}

/** The libraries' sonames and versions, as rpm itself writes them. */
async function libraries(root: string): Promise<string[]> {
  const found = await runOk([
    ...["find", `${root}/usr/lib/x86_64-linux-gnu`, "-maxdepth", "1"],
    ...["-name", "*.so*", "-type", "f"],
  ]);
  const provides = await runOk(["/usr/lib/rpm/elfdeps", "--provides"], {
    stdin: new TextEncoder().encode(found),
  });
  return [...new Set(provides.trim().split("\n"))];
}
