/**
 * IMA lists of any length, with entries as long as a kernel's usually are. No
 * PCR goes with them, so no verifier would accept them.
 *
 * @module
 */

const HASH = "a".repeat(40);
const AT_ONCE = 10_000;

/** Entries `first` to `first + count - 1` of such a list. */
export function entries(first: number, count: number): string {
  return Array.from(
    { length: count },
    (_, at) =>
      `10 ${HASH} ima-ng sha256:${HASH}${"b".repeat(24)} ` +
      `/usr/lib/systemd/system-generators/program-${first + at}\n`,
  ).join("");
}

/** Writes a list of `count` entries to `path` and returns its length in bytes. */
export async function writeList(path: string, count: number): Promise<number> {
  using file = await Deno.open(path, { create: true, write: true });
  let written = 0;
  for (let first = 0; first < count; first += AT_ONCE) {
    const bytes = new TextEncoder().encode(
      entries(first, Math.min(AT_ONCE, count - first)),
    );
    for (let sent = 0; sent < bytes.length;) {
      sent += await file.write(bytes.subarray(sent));
    }
    written += bytes.length;
  }
  return written;
}
