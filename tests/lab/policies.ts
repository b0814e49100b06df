/**
 * Policies as administrators make them, with Keylime's own `keylime-policy`.
 *
 * @module
 */

import { runOk } from "./command.ts";
import { ensureLab } from "./tools.ts";

/** What a runtime policy allows. */
export interface RuntimePolicyOptions {
  /** IMA measurement list whose entries are all allowed. */
  readonly measurementList?: string;
  /** Hexadecimal digests that are allowed, by path. */
  readonly digests?: Readonly<Record<string, readonly string[]>>;
  /** Regular expressions for the start of paths that are not looked at. */
  readonly excludes?: readonly string[];
  /** More options of `keylime-policy create runtime`. */
  readonly args?: readonly string[];
}

/**
 * Makes a runtime policy for the tenant's `--runtime-policy` in the new
 * `file`, and resolves with that path.
 */
export async function createRuntimePolicy(
  file: string,
  options: RuntimePolicyOptions,
): Promise<string> {
  const { measurementList, digests, excludes, args = [] } = options;
  const argv = ["create", "runtime", "--output", file, ...args];
  if (measurementList !== undefined) {
    argv.push("--ima-measurement-list", measurementList);
  }
  if (digests !== undefined) {
    const lines = Object.entries(digests).flatMap(([path, allowed]) =>
      allowed.map((digest) => `${digest}  ${path}\n`)
    );
    await Deno.writeTextFile(`${file}.allowlist`, lines.join(""));
    argv.push("--allowlist", `${file}.allowlist`);
  }
  if (excludes !== undefined) {
    await Deno.writeTextFile(`${file}.excludes`, excludes.join("\n") + "\n");
    argv.push("--excludelist", `${file}.excludes`);
  }
  await keylimePolicy(argv);
  return file;
}

/**
 * Makes the measured boot policy, for the tenant's `--mb-policy`, of a machine
 * that boots by the event log in the file `eventLog`.
 */
export async function createMeasuredBootPolicy(
  file: string,
  eventLog: string,
): Promise<string> {
  await keylimePolicy([
    ...["create", "measured-boot"],
    ...["--eventlog-file", eventLog, "--output", file],
  ]);
  return file;
}

async function keylimePolicy(argv: readonly string[]): Promise<void> {
  const { keylimeBin } = await ensureLab();
  await runOk([`${keylimeBin}/keylime-policy`, ...argv]);
}
