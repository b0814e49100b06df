/**
 * What the kernel says of a running process.
 *
 * @module
 */

/** Linux counts processor time for programs in hundredths of a second. */
const TICK_MS = 10;

/** Processor time of process `pid` and its threads so far, in milliseconds. */
export async function processorTime(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  // The program's name, in parentheses, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Resident memory of process `pid` in bytes: now, or at its highest. */
export async function memory(
  pid: number,
  name: "VmRSS" | "VmHWM",
): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1];
  return Number(kibibytes) * 1024;
}

/** Makes the highest memory of process `pid` what it has now. */
export async function forgetHighest(pid: number): Promise<void> {
  await Deno.writeTextFile(`/proc/${pid}/clear_refs`, "5");
}
