/**
 * The kernel's table of mounts.
 *
 * @module
 */

const MOUNT_TABLE = "/proc/self/mountinfo";

/** One mount that this process sees. */
export interface Mount {
  /** Where it is mounted, as an absolute path. */
  readonly point: string;
  /** Its device as `major:minor`. */
  readonly device: string;
  /** Its file system, such as `tmpfs`. */
  readonly type: string;
  /** Options of the file system, such as `noswap`. */
  readonly options: readonly string[];
}

/** The mounts in the text of a `mountinfo` file, see proc(5), in its order. */
export function parseMountTable(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split("\n")) {
    const fields = line.split(" ");
    const end = fields.indexOf("-", 6);
    const [, , device, , point] = fields;
    const [type, , options] = fields.slice(end + 1);
    if (end < 0 || !device || !point || !type) continue;
    mounts.push({
      point: unescaped(point),
      device,
      type,
      options: (options ?? "").split(","),
    });
  }
  return mounts;
}

/** The mounts at exactly `path`, in the order of the kernel. */
export async function mountsAt(path: string): Promise<Mount[]> {
  return parseMountTable(await Deno.readTextFile(MOUNT_TABLE))
    .filter(({ point }) => point === path);
}

/** A device number of stat(2) as `major:minor`. */
export function deviceOf(dev: number): string {
  const number = BigInt(dev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xfffff000n);
  const minor = (number & 0xffn) | ((number >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

/** The kernel writes blanks, line ends and backslashes as `\ooo`. */
function unescaped(field: string): string {
  return field.replaceAll(
    /\\([0-7]{3})/g,
    (_, octal: string) => String.fromCharCode(parseInt(octal, 8)),
  );
}
