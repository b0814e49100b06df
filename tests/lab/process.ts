/**
 * Long-running programs of the lab. Each runs in a session of its own, so that
 * stopping it reaches all its children, and beside a watchdog that kills them
 * when the test program ends without having done so, however it ends.
 *
 * @module
 */

import { baseEnvironment } from "./command.ts";
import { waitFor } from "./wait.ts";

/** How a program is started, and how long it may take over it. */
export interface ProcessOptions {
  /** What messages call it. */
  readonly name: string;
  /** File that its standard output and error are appended to. */
  readonly logFile: string;
  /** Variables besides {@linkcode baseEnvironment}. */
  readonly env?: Readonly<Record<string, string>>;
  /** Its working directory; ours unless told. */
  readonly cwd?: string;
  /** Whether it can be used now; asked again and again until it says so. */
  readonly ready?: () => Promise<boolean>;
  /** How long it may take to become ready; 30 s unless told. */
  readonly readyTimeoutMs?: number;
  /** How long it may take to end by SIGTERM before it is killed. */
  readonly stopTimeoutMs?: number;
}

/** `exec` keeps the process id, so the program itself leads the session. */
const APPEND_TO_LOG = 'exec >>"$0" 2>&1 "$@"';

/** Standard input ends when the test program does, for whatever reason. */
const KILL_AT_END_OF_INPUT = 'read -r _ || kill -s KILL -- "-$0"';

/** A running program with all its children. */
export class LabProcess implements AsyncDisposable {
  /** What messages call it. */
  readonly name: string;
  /** File with everything it wrote. */
  readonly logFile: string;
  readonly #child: Deno.ChildProcess;
  readonly #watchdog: Deno.ChildProcess;
  readonly #stopTimeoutMs: number;
  #status: Deno.CommandStatus | undefined;

  private constructor(argv: readonly string[], options: ProcessOptions) {
    this.name = options.name;
    this.logFile = options.logFile;
    this.#stopTimeoutMs = options.stopTimeoutMs ?? 10_000;
    this.#child = new Deno.Command("/bin/sh", {
      args: ["-c", APPEND_TO_LOG, options.logFile, ...argv],
      env: { ...baseEnvironment(), ...options.env },
      clearEnv: true,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdin: "null",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn();
    this.#watchdog = new Deno.Command("/bin/sh", {
      args: ["-c", KILL_AT_END_OF_INPUT, String(this.#child.pid)],
      stdin: "piped",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn();
    this.#child.status.then((status) => this.#status = status);
  }

  /**
   * Starts `argv` and resolves when it is ready.
   *
   * @throws Error with the end of its log, when it ends or dawdles instead;
   * nothing of it is left running then
   */
  static async start(
    argv: readonly string[],
    options: ProcessOptions,
  ): Promise<LabProcess> {
    const process = new LabProcess(argv, options);
    const { ready, readyTimeoutMs = 30_000 } = options;
    try {
      await waitFor(`${process.name} to become ready`, async () => {
        if (process.hasExited) {
          throw new Error(
            `${process.name} ended with exit code ${process.#status?.code}`,
          );
        }
        return await ready?.() ?? true;
      }, { timeoutMs: readyTimeoutMs, everyMs: 20 });
      return process;
    } catch (error) {
      await process.kill();
      const tail = (await process.log()).slice(-4000);
      throw new Error(
        `Cannot start ${process.name}; its log ends with:\n${tail}`,
        { cause: error },
      );
    }
  }

  /** Process id of the program, which is also that of its group and session. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Whether the program itself has ended; children of it may still run. */
  get hasExited(): boolean {
    return this.#status !== undefined;
  }

  /** Resolves when the program itself has ended. */
  get exited(): Promise<Deno.CommandStatus> {
    return this.#child.status;
  }

  /** Everything written so far, from the first start that used this log file. */
  async log(): Promise<string> {
    return await Deno.readTextFile(this.logFile).catch(() => "");
  }

  /** Sends `signal` to the program alone. */
  signal(signal: Deno.Signal): void {
    if (!this.hasExited) this.#child.kill(signal);
  }

  /**
   * Asks the program and its children to end by SIGTERM, and kills what is
   * left after the time set for it. Harmless when it has ended.
   *
   * @returns how the program itself ended
   */
  async stop(): Promise<Deno.CommandStatus> {
    signalGroup(this.pid, "SIGTERM");
    const isGone = (): boolean => this.hasExited && !isGroupAlive(this.pid);
    await waitFor(`${this.name} to end`, isGone, {
      timeoutMs: this.#stopTimeoutMs,
      everyMs: 10,
    }).catch(() => {});
    return await this.kill();
  }

  /** Kills the program and its children at once. */
  async kill(): Promise<Deno.CommandStatus> {
    signalGroup(this.pid, "SIGKILL");
    const status = await this.#child.status;
    await waitFor(
      `${this.name}'s children to end`,
      () => !isGroupAlive(this.pid),
      {
        everyMs: 5,
      },
    );
    await this.#dismissWatchdog();
    return status;
  }

  async #dismissWatchdog(): Promise<void> {
    try {
      this.#watchdog.kill("SIGKILL");
      await this.#watchdog.stdin.close();
    } catch {
      // Dismissed before.
    }
    await this.#watchdog.status;
  }

  /** As {@linkcode LabProcess.stop}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function signalGroup(group: number, signal: Deno.Signal): void {
  try {
    Deno.kill(-group, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Whether a process of `group` runs. Dead ones that nobody has collected do
 * not count: in a container without an init they stay for good.
 */
export function isGroupAlive(group: number): boolean {
  for (const entry of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    try {
      const stat = Deno.readTextFileSync(`/proc/${entry.name}/stat`);
      // The program's name, in parentheses, may hold anything.
      const [state, , pgrp] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (Number(pgrp) === group && state !== "Z" && state !== "X") return true;
    } catch {
      // It ended while we looked.
    }
  }
  return false;
}
