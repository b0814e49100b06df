/**
 * The root file system of one machine: a copy of the image's, into which rpm
 * installs as `transactional-update` has it do, and disks made from that.
 *
 * @module
 */

import { run, runOk } from "../lab/command.ts";

/**
 * What a scriptlet sees during a transactional update: the new root, with the
 * machine's /var out of sight and no systemd. In a namespace, so that nothing
 * stays mounted.
 */
const IN_NEW_ROOT = `
set -eu
root=$1
shift
mount -t tmpfs tmpfs "$root/var"
mount -t tmpfs tmpfs "$root/run"
mount -t proc proc "$root/proc"
cp -- "$@" "$root/run"
cd "$root/run"
TRANSACTIONAL_UPDATE=1 exec chroot "$root" sh -c 'rpm -U /run/*.rpm'
`;

/** A machine's root file system while the machine is off. */
export class RootDisk {
  /** Directory with its files. */
  readonly tree: string;
  /** Raw disk with the tree as it was when it was last written. */
  readonly disk: string;

  private constructor(directory: string) {
    this.tree = `${directory}/root`;
    this.disk = `${directory}/root.img`;
  }

  /** Copies the image's root into the new `directory`. */
  static async copy(imageRoot: string, directory: string): Promise<RootDisk> {
    await Deno.mkdir(directory);
    const root = new RootDisk(directory);
    await runOk(["cp", "-a", imageRoot, root.tree]);
    return root;
  }

  /**
   * Installs the packages in those files.
   *
   * @throws Error when rpm fails or warns, which it does of failed scriptlets
   */
  async install(rpms: readonly string[]): Promise<void> {
    const { code, stdout, stderr } = await run([
      ...["unshare", "--mount", "--pid", "--fork", "sh", "-c", IN_NEW_ROOT],
      ...["in-new-root", this.tree, ...rpms],
    ]);
    if (code !== 0 || /^(?:error|warning):/m.test(stderr)) {
      throw new Error(`rpm ended with ${code}:\n${stdout}${stderr}`);
    }
  }

  /** Makes the disk of the tree as it is now. */
  async write(): Promise<void> {
    const used = Number((await runOk(["du", "-sk", this.tree])).split("\t")[0]);
    await Deno.remove(this.disk).catch(() => {}); // the first has no forerunner
    await runOk([
      ...["mke2fs", "-q", "-t", "ext4", "-m", "0", "-O", "^has_journal"],
      // Room for what an update installs beside what it replaces.
      ...["-d", this.tree, this.disk, `${Math.ceil(used * 1.5)}k`],
    ]);
  }
}

/**
 * Makes the disk for /var with `files` at their paths in it; besides those and
 * the directory that makes the journal persistent it is empty.
 */
export async function makeVarDisk(
  disk: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  const tree = `${disk}.tree`;
  await runOk(["install", "-d", `${tree}/log/journal`]);
  for (const [path, source] of Object.entries(files)) {
    await runOk(["install", "-D", "-m", "0644", source, `${tree}/${path}`]);
  }
  await runOk(["mke2fs", "-q", "-t", "ext4", "-d", tree, disk, "1G"]);
  await Deno.remove(tree, { recursive: true });
}
