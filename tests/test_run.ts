/**
 * Running test files, and counting what they said.
 *
 * @module
 */

import process from "node:process";
import { fileURLToPath } from "node:url";

/** The tree that is tested. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** How many of its checks a step passed, failed and left out. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Prints a line. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Runs Deno with `args`; its output is shown, and returned. */
export async function deno(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly output: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let output = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    process.stdout.write(text);
    output += text;
  }
  return { code: (await child.status).code, output };
}

/** Deno's own closing line: `ok | 7 passed (3 steps) | 0 failed | 1 ignored`. */
const SUMMARY =
  /^(?:ok|FAILED) \| (\d+) passed.*?\| (\d+) failed(?:.*?\| (\d+) ignored)?/m;

/** Runs those test files as one step. */
export async function tests(
  name: string,
  files: readonly string[],
  { flags = ["--parallel"], env = {} }: {
    readonly flags?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<Counts> {
  say(`\n== ${name}`);
  const { code, output } = await deno([
    ...["test", "-A", "--no-check", "--shuffle", ...flags],
    ...files,
  ], env);
  const [, passed = "0", failed = "0", skipped = "0"] = SUMMARY.exec(output) ??
    [];
  const counts = {
    passed: Number(passed),
    failed: Number(failed),
    skipped: Number(skipped),
  };
  // A crash of the runner, or of a module while it loads, is in no count.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

/**
 * Prints the last line, with what all steps amount to; the process fails if one
 * did, or if nothing was tested and nothing says why.
 */
export function conclude(all: readonly Counts[]): void {
  const { passed, failed, skipped } = all.reduce((sum, counts) => ({
    passed: sum.passed + counts.passed,
    failed: sum.failed + counts.failed,
    skipped: sum.skipped + counts.skipped,
  }));
  say(`\nDone in ${Math.round(performance.now() / 1000)} s`);
  say(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  process.exitCode = failed === 0 && passed + skipped > 0 ? 0 : 1;
}
