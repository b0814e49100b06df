/**
 * What the chip of the virtual machine was told, by swtpm's own log: below the
 * kernel, its resource manager and everything else.
 *
 * @module
 */

/** swtpm's option for a log in `file` with the bytes of every command. */
export function chipLogOption(file: string): string[] {
  return ["--log", `file=${file},level=20`];
}

/** Names of command codes that are counted. TPM 2.0 Part 2, TPM_CC. */
const NAMES = new Map([
  ["00 00 01 58", "TPM2_Quote"],
  ["00 00 01 61", "TPM2_ContextLoad"],
  ["00 00 01 62", "TPM2_ContextSave"],
  ["00 00 01 65", "TPM2_FlushContext"],
  ["00 00 01 7E", "TPM2_PCR_Read"],
]);

/** A command's header follows the line that says its length. */
const COMMAND =
  /SWTPM_IO_Read: length \d+\n (?:[0-9A-F]{2} ){6}((?:[0-9A-F]{2} ?){4})/g;

/**
 * How many of the commands that quotes and a resource manager cause are in
 * `log` from byte `start` on.
 */
export async function countCommands(
  log: string,
  start: number,
): Promise<ReadonlyMap<string, number>> {
  using file = await Deno.open(log);
  await file.seek(start, Deno.SeekMode.Start);
  const text = await new Response(file.readable).text();
  const counts = new Map<string, number>();
  for (const [, code = ""] of text.matchAll(COMMAND)) {
    const name = NAMES.get(code.trim());
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
