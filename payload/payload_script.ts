/**
 * The script that a payload brings and the agent runs.
 *
 * @module
 */

import { join } from "node:path";
import { type Log, quoted } from "../log/log.ts";
import { type ProgramOutcome, runProgram } from "./program.ts";

/** Longest line of its output that the log shows, in characters. */
const LINE_MAX = 8_192;

/** What to run. */
export interface PayloadScript {
  /** Absolute path of its directory, in which it runs. */
  readonly directory: string;
  /** Its file name. */
  readonly name: string;
  /** Milliseconds after which it is ended; 0 for no limit. */
  readonly timeLimitMs: number;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Runs a script to its end, whatever that is: the log gets its output and how
 * it ended. Like a shell, it takes a file without `#!` for a shell script.
 */
export async function runPayloadScript(
  script: PayloadScript,
  log: Log,
): Promise<void> {
  const { directory, name, timeLimitMs, signal } = script;
  const path = join(directory, name);
  const isNative = await startsLikeProgram(path);
  log.info(`Running payload script ${quoted(name)}`);
  const begin = performance.now();
  const outcome = await runProgram({
    path: isNative ? path : "/bin/sh",
    args: isNative ? [] : [path],
    cwd: directory,
    timeLimitMs,
    onLine: (line, stream) => {
      const level = stream === "stdout" ? "info" : "warn";
      log[level](`Payload script ${stream}: ${quoted(line, LINE_MAX)}`);
    },
    signal,
  });
  const seconds = ((performance.now() - begin) / 1_000).toFixed(1);
  const isGood = outcome.kind === "exited" && outcome.code === 0;
  log[isGood ? "info" : "warn"](
    `Payload script ${quoted(name)} ${told(outcome)} after ${seconds} s`,
  );
}

/** Whether the kernel itself can start the file: `#!`, or ELF. */
async function startsLikeProgram(path: string): Promise<boolean> {
  const head = new Uint8Array(4);
  try {
    using file = await Deno.open(path);
    await file.read(head);
  } catch {
    return true; // the attempt to start it will tell what is wrong
  }
  const text = String.fromCharCode(...head);
  return text.startsWith("#!") || text === "\x7fELF";
}

function told(outcome: ProgramOutcome): string {
  switch (outcome.kind) {
    case "exited":
      return `exited with status ${outcome.code}`;
    case "signalled":
      return `was ended by signal ${outcome.signal}`;
    case "timed out":
      return `was ended by the agent: it exceeded its time limit of ${
        outcome.limitMs / 1_000
      } s (option "payload_script_timeout")`;
    case "stopped":
      return "was ended by the agent, which stops or got another payload,";
    case "not started":
      return `could not be started: ${outcome.reason}`;
  }
}
