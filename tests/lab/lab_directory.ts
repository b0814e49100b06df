/**
 * The private directory of one lab.
 *
 * @module
 */

/** Set it to keep the directories of all labs, and be told where they are. */
const KEEP = "DENO_KEYLIME_LAB_KEEP";

/**
 * A new directory that only its owner may enter, removed at the end of its
 * scope unless the environment variable `DENO_KEYLIME_LAB_KEEP` is set.
 */
export class LabDirectory implements AsyncDisposable {
  /** Its absolute path: short, for Unix sockets below it. */
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  /** Makes one, below `$TMPDIR` or `/tmp`. */
  static async make(): Promise<LabDirectory> {
    return new LabDirectory(await Deno.makeTempDir({ prefix: "dklab-" }));
  }

  /** Path of `name` in it. */
  path(name: string): string {
    return `${this.root}/${name}`;
  }

  /** Removes it with everything in it, unless it is to be kept. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (Deno.env.get(KEEP)) {
      const line = `The lab's files are kept in ${this.root}\n`;
      Deno.stderr.writeSync(new TextEncoder().encode(line));
      return;
    }
    for (const point of mountsBelow(this.root)) await unmount(point);
    await Deno.remove(this.root, { recursive: true });
  }
}

/** What agents have mounted below `root`, the last one first. */
function mountsBelow(root: string): string[] {
  return Deno.readTextFileSync("/proc/self/mountinfo").split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((point) => point.startsWith(`${root}/`))
    .reverse();
}

/** Lazily: a file that somebody still has open must not keep it. */
async function unmount(point: string): Promise<void> {
  await new Deno.Command("umount", { args: ["--lazy", point] }).output();
}
