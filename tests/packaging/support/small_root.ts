/**
 * The root of a system as rpm sees it while a read-only system is updated: a
 * new snapshot of `/usr` and `/etc`, nothing in `/var`, no daemon, no network.
 *
 * @module
 */

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { run } from "../../lab/command.ts";
import { must } from "./package_file.ts";

/** What scriptlets run. */
const PROGRAMS = [
  "/usr/bin/sh",
  "/usr/bin/systemctl",
  "/usr/bin/systemd-sysusers",
  "/usr/bin/systemd-tmpfiles",
  "/usr/bin/udevadm",
];

/** Links of a merged `/usr`, and where they lead. */
const LINKS = {
  bin: "usr/bin",
  sbin: "usr/sbin",
  lib: "usr/lib",
  lib64: "usr/lib64",
};

/** openSUSE's place; elsewhere the data base is in `/var`. */
const DATABASE = "/usr/lib/sysimage/rpm";

/** Runs in a mount namespace of its own, so `/proc` goes with it. */
const IN_ROOT = 'mount -t proc proc "$1/proc" && shift && exec "$@"';

/** A root that ends with its scope. */
export class SmallRoot implements AsyncDisposable {
  /** Its directory. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes one whose presets are the lines `presets`. */
  static async make(presets: string): Promise<SmallRoot> {
    const root = new SmallRoot(await Deno.makeTempDir());
    for (const name of ["etc", "proc", "run", "tmp", "var", "srv", "home"]) {
      await Deno.mkdir(`${root.path}/${name}`);
    }
    for (const [name, target] of Object.entries(LINKS)) {
      await Deno.mkdir(`${root.path}/${target}`, { recursive: true });
      await Deno.symlink(target, `${root.path}/${name}`);
    }
    for (const program of PROGRAMS) {
      await root.#copy(program);
      for (const library of await librariesOf(program)) {
        await root.#copy(library);
      }
    }
    const preset = "/usr/lib/systemd/system-preset/99-default.preset";
    await Deno.mkdir(root.path + dirname(preset), { recursive: true });
    await Deno.writeTextFile(root.path + preset, presets);
    return root;
  }

  async #copy(path: string): Promise<void> {
    await Deno.mkdir(this.path + dirname(path), { recursive: true });
    await Deno.copyFile(path, this.path + path);
  }

  /** Runs `rpm` on this root, as `transactional-update` does. */
  async rpm(...options: readonly string[]): Promise<void> {
    const { code, stdout, stderr } = await run([
      ...["unshare", "--mount", "--net", "sh", "-c", IN_ROOT, "sh", this.path],
      ...["rpm", `--root=${this.path}`, `--dbpath=${DATABASE}`],
      // rpm writes scriptlets to a file, which is in /var/tmp by default.
      ...["--define", "_tmppath /tmp", ...options],
    ], { env: { TRANSACTIONAL_UPDATE: "true" } });
    assert.equal(code, 0, stdout + stderr);
    assert.doesNotMatch(stderr, /scriptlet failed|does not exist/);
  }

  /** Makes what the next boot would make of tmpfiles.d. */
  async boot(): Promise<void> {
    await must(["systemd-tmpfiles", `--root=${this.path}`, "--create"]);
  }

  /** What is below directory `path`, as paths in this root. */
  async below(path: string): Promise<string[]> {
    const found = await must(["find", this.path + path, "-mindepth", "1"]);
    return found.split("\n").filter((line) => line !== "")
      .map((line) => line.slice(this.path.length)).sort();
  }

  /** Owner, group and mode of `path`, as this root's accounts have them. */
  async status(path: string): Promise<string> {
    const { uid, gid, mode } = await Deno.lstat(this.path + path);
    const owner = await this.#named("passwd", uid);
    const group = await this.#named("group", gid);
    return `${owner}:${group} ${((mode ?? 0) & 0o7777).toString(8)}`;
  }

  async #named(table: "passwd" | "group", id: number | null): Promise<string> {
    const lines = await this.lines(`/etc/${table}`);
    const fields = lines.map((line) => line.split(":"));
    return fields.find((each) => each[2] === String(id))?.[0] ?? String(id);
  }

  /** The lines of a file. */
  async lines(path: string): Promise<string[]> {
    const text = await Deno.readTextFile(this.path + path);
    return text.trimEnd().split("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

async function librariesOf(program: string): Promise<string[]> {
  const listed = await must(["ldd", program]);
  return [...listed.matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path);
}
