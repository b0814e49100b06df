/**
 * `./dev test`: everything that a change must pass, from formatting to the
 * real Keylime control plane, counted in the last line.
 *
 * @module
 */

import { buildBest, EXECUTABLE } from "../packaging/build.ts";
import { setUpLab } from "./lab/setup.ts";
import { conclude, type Counts, deno, ROOT, say, tests } from "./test_run.ts";
import { testVirtualMachine } from "./vm/run.ts";

/** Rooms whose every export must be documented. */
const ROOMS = [
  "agent",
  "api",
  "config",
  "crypto",
  "ima",
  "log",
  "packaging",
  "payload",
  "revocation",
  "service",
  "tpm",
];

/**
 * What `deno doc --lint` says against our will: the types of TCG structures
 * are derived from their declarations, and those of packages are the packages'.
 */
const TOLERATED = ["missing-explicit-type", "private-type-ref"];

/** A step that passes or fails as a whole. */
async function gate(name: string, args: readonly string[]): Promise<Counts> {
  say(`\n== ${name}`);
  const { code } = await deno(args);
  if (code !== 0) say(`FAILED: ${name}`);
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
}

/** Checks that every export of every room says what it is. */
async function documentation(): Promise<Counts> {
  say("\n== documentation");
  const sources: string[] = [];
  for (const room of ROOMS) {
    for await (const path of filesBelow(room, ".ts")) sources.push(path);
  }
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", ...sources],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdout: "null",
  }).output();
  const problems = new TextDecoder().decode(stderr).split(/^(?=error\[)/m)
    .filter((text) => text.startsWith("error["))
    .filter((text) =>
      !TOLERATED.some((rule) => text.startsWith(`error[${rule}`))
    );
  problems.forEach((problem) => say(problem));
  const failed = problems.length;
  return { passed: failed === 0 ? 1 : 0, failed, skipped: 0 };
}

/** Makes the executable that the lab runs, of the kind that can be had here. */
async function executable(): Promise<Counts> {
  say("\n== executable");
  try {
    say(await buildBest(say));
    return { passed: 1, failed: 0, skipped: 0 };
  } catch (error) {
    say(`FAILED: ${error instanceof Error ? error.message : String(error)}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

async function* filesBelow(
  directory: string,
  suffix: string,
): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(ROOT + directory)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) yield* filesBelow(path, suffix);
    else if (entry.name.endsWith(suffix)) yield path;
  }
}

/** Runs everything, or the test files whose path holds `filter`. */
async function main(filter: string | undefined): Promise<Counts[]> {
  await setUpLab(say);
  const files = (await Array.fromAsync(filesBelow("tests", "_test.ts")))
    .filter((path) => !path.startsWith("tests/vm/")) // a step of its own
    .filter((path) => path.includes(filter ?? ""));
  if (files.length === 0) {
    throw new Error(`No test file has "${filter}" in its path`);
  }
  if (filter !== undefined) return [await tests(`tests of ${filter}`, files)];
  const isLab = (path: string): boolean => path.startsWith("tests/lab/");
  // Parallel test files share one process, and so its memory.
  const isOfMemory = (path: string): boolean =>
    path.endsWith("_memory_test.ts");
  return [
    await gate("format", ["fmt", "--check", "--quiet"]),
    await gate("lint", ["lint", "--quiet"]),
    await gate("types", ["check", "--quiet", "."]),
    await documentation(),
    await tests(
      "parts",
      files.filter((path) => !isLab(path) && !isOfMemory(path)),
    ),
    await tests("memory", files.filter(isOfMemory), { flags: [] }),
    await executable(),
    await tests("lab", files.filter(isLab), {
      env: { DENO_KEYLIME_AGENT: EXECUTABLE },
    }),
    await testVirtualMachine(),
  ];
}

conclude(await main(Deno.args[0]));
