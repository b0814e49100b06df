/**
 * Runs one program of the administrator's or the tenant's under limits: a
 * payload's script, a revocation action, `mount`.
 *
 * @module
 */

import { userInfo } from "node:os";
import { describe } from "../log/log.ts";
import { endSession } from "./process_session.ts";
import { type OutputStream, ProgramOutput } from "./program_output.ts";

/** What to run, and within which bounds. */
export interface ProgramOptions {
  /** Absolute path of the executable. */
  readonly path: string;
  /** Its arguments, without its own name. */
  readonly args?: readonly string[];
  /** Absolute path of its working directory. */
  readonly cwd: string;
  /** Variables besides those of {@linkcode programEnvironment}. */
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds after which it is ended; 0 for no limit. */
  readonly timeLimitMs: number;
  /**
   * Gets each line that it writes, raw: not yet fit for a log. A line in
   * brackets at the end says what was left out or had to be ended.
   */
  readonly onLine: (line: string, stream: OutputStream) => void;
  /** Ends the program when it aborts. */
  readonly signal: AbortSignal;
}

/** How a program ended, as it was. */
export type ProgramOutcome =
  | { kind: "exited"; code: number }
  /** Something other than the agent ended it, or it did so itself. */
  | { kind: "signalled"; signal: string }
  | { kind: "timed out"; limitMs: number }
  /** The signal of its options aborted. */
  | { kind: "stopped" }
  | { kind: "not started"; reason: string };

/** Timers cannot count further, which is 24 days. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/**
 * Runs a program to its end; resolves, never rejects, when it and all
 * processes that it started in its session are gone.
 *
 * It has an empty standard input, a session of its own, and no variable of the
 * agent's environment. Its output is read as fast as it comes and never waits
 * for anybody. Whatever it leaves running is ended after it: SIGTERM, then
 * SIGKILL. Only what has made itself a new session (`setsid`) stays, until
 * systemd ends the unit.
 */
export async function runProgram(
  options: ProgramOptions,
): Promise<ProgramOutcome> {
  const { signal, timeLimitMs } = options;
  if (signal.aborted) return { kind: "stopped" };
  let child: Deno.ChildProcess;
  try {
    child = start(options);
  } catch (error) {
    return { kind: "not started", reason: describe(error) };
  }

  let cut: ProgramOutcome | undefined;
  let ending: Promise<number> | undefined;
  const end = (outcome: ProgramOutcome): void => {
    cut ??= outcome;
    ending ??= endSession(child.pid);
  };
  const stop = (): void => end({ kind: "stopped" });
  signal.addEventListener("abort", stop);
  const timer = timeLimitMs > 0 && timeLimitMs <= TIMER_MAX_MS
    ? setTimeout(end, timeLimitMs, {
      kind: "timed out",
      limitMs: timeLimitMs,
    })
    : undefined;
  const output = new ProgramOutput(child, options.onLine);

  const status = await child.status;
  signal.removeEventListener("abort", stop);
  clearTimeout(timer);
  const left = await (ending ?? endSession(child.pid));
  await output.finish();
  if (cut !== undefined) return cut;
  if (left > 0) {
    options.onLine(
      left === 1
        ? "[1 process left running was ended]"
        : `[${left} processes left running were ended]`,
      "stderr",
    );
  }
  return status.signal === null
    ? { kind: "exited", code: status.code }
    : { kind: "signalled", signal: status.signal };
}

function start(options: ProgramOptions): Deno.ChildProcess {
  return new Deno.Command(options.path, {
    args: [...options.args ?? []],
    cwd: options.cwd,
    clearEnv: true,
    env: { ...programEnvironment(), ...options.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
}

/**
 * The variables that every program gets: `PATH`, `LANG`, and `HOME`, `USER`
 * and `LOGNAME` of the account that the agent runs as.
 */
export function programEnvironment(): Record<string, string> {
  const env: Record<string, string> = {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    LANG: "C.UTF-8",
  };
  try {
    const { homedir, username } = userInfo();
    env["HOME"] = homedir;
    env["USER"] = env["LOGNAME"] = username;
  } catch {
    // A user id without an account, as in a container.
  }
  return env;
}
