/**
 * Runs one revocation action (contract section 9.3).
 *
 * @module
 */

import { type Log, quoted } from "../log/log.ts";
import { type ProgramOutcome, runProgram } from "../payload/program.ts";
import { RevocationError } from "./error.ts";

/** An action and what it runs with. */
export interface ActionRun {
  /** Its name, free of anything that a log line cannot hold. */
  readonly name: string;
  /** Absolute path of its executable. */
  readonly path: string;
  /** The revocation message: the content of the file that it is given. */
  readonly message: string;
  /** Absolute path of its working directory, where that file is put. */
  readonly directory: string;
  /** Milliseconds after which it is ended; 0 for no limit. */
  readonly timeLimitMs: number;
  /** Gets its output and its success. */
  readonly log: Log;
  /** Ends it when it aborts. */
  readonly signal: AbortSignal;
}

/** Longest line of output that the log shows, in characters. */
const LINE_LIMIT = 8_192;

const ALPHANUMERICS =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/**
 * Runs an action to its end. It gets one argument, the path of a file with the
 * message that only the agent's user can read and that is gone afterwards.
 *
 * @throws {RevocationError} unless it ended by itself with exit status 0
 */
export async function runAction(action: ActionRun): Promise<void> {
  const { name, log } = action;
  await using file = await messageFile(action.directory, action.message);
  log.info(`Executing revocation action ${name}`);
  const outcome = await runProgram({
    path: action.path,
    args: [file.path],
    cwd: action.directory,
    timeLimitMs: action.timeLimitMs,
    signal: action.signal,
    onLine: (line, stream) => {
      const text = quoted(line, LINE_LIMIT);
      if (stream === "stdout") log.info(`Action stdout: ${text}`);
      else log.warn(`Action stderr: ${text}`);
    },
  });
  const failure = failureOf(outcome);
  if (failure !== undefined) {
    throw new RevocationError("action", `Revocation action ${name} ${failure}`);
  }
  log.info(`Revocation action ${name} succeeded`);
}

function failureOf(outcome: ProgramOutcome): string | undefined {
  switch (outcome.kind) {
    case "exited":
      return outcome.code === 0
        ? undefined
        : `failed with exit status ${outcome.code}`;
    case "signalled":
      return `was ended by signal ${outcome.signal}`;
    case "timed out":
      return `did not end within ${outcome.limitMs / 1_000} s and was ended; ` +
        'option "revocation_action_timeout" allows it more';
    case "stopped":
      return "was ended because the agent stops";
    case "not started":
      return "could not be started; its file must be executable by the " +
        `agent's user and be a program or begin with "#!": ${outcome.reason}`;
  }
}

/** A new private file with the message, named as upstream names it. */
async function messageFile(
  directory: string,
  message: string,
): Promise<AsyncDisposable & { readonly path: string }> {
  const random = crypto.getRandomValues(new Uint8Array(6));
  const suffix = Array.from(
    random,
    (byte) => ALPHANUMERICS[byte % ALPHANUMERICS.length],
  ).join("");
  const path = `${directory}/.tmp${suffix}`;
  const remove = async (): Promise<void> => {
    await Deno.remove(path).catch((error) => {
      // The action may have taken it away.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  };
  try {
    await Deno.writeTextFile(path, message, { createNew: true, mode: 0o600 });
  } catch (cause) {
    if (!(cause instanceof Deno.errors.AlreadyExists)) await remove();
    throw new RevocationError(
      "action",
      `Cannot write the revocation message to "${path}"; the agent's user ` +
        "must be able to create files there, and there must be free space",
      { cause },
    );
  }
  return { path, [Symbol.asyncDispose]: remove };
}
