/**
 * `keylime_agent`: takes arguments, environment and signals, the only file that
 * does, and runs the agent with them.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { evictAttestationKey } from "./agent/ak_eviction.ts";
import { loadConfig } from "./config/config.ts";
import { systemFiles } from "./config/files.ts";
import { EXIT_CODE, exitCodeOf } from "./exit_code.ts";
import { createLog, describe } from "./log/log.ts";
import { runAgent } from "./run_agent.ts";
import { isJournal } from "./service/journal.ts";
import { Notifier } from "./service/notifier.ts";
import { watchdogPeriod } from "./service/watchdog.ts";
import { describeProgram } from "./version.ts";

const USAGE = `Usage: keylime_agent [OPTION]

Keylime agent: attests this machine with its TPM. It takes its configuration
from /usr/etc/keylime/agent.conf and /etc/keylime/agent.conf, their agent.conf.d
directories, and KEYLIME_AGENT_* environment variables.

      --evict-ak  remove the attestation key from the TPM's persistent handle
                  that option "ak_handle" names, and end; stop the agent before
  -h, --help      print this text
  -V, --version   print the version
`;

/** The descriptor that the log goes to. */
const STANDARD_ERROR = 2;

/** What to do; options that only print do so and end. */
function readArguments(args: readonly string[]): "run" | "evict" {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        "evict-ak": { type: "boolean" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean", short: "V" },
      },
    });
    if (values.help) process.stdout.write(USAGE);
    else if (values.version) process.stdout.write(`${describeProgram()}\n`);
    else return values["evict-ak"] ? "evict" : "run";
    Deno.exit(0);
  } catch (error) {
    process.stderr.write(`${describe(error)}\n${USAGE}`);
    Deno.exit(EXIT_CODE.usage);
  }
}

/** Prints a log line. That nobody can read it must not end the agent. */
function printLine(line: string): void {
  try {
    Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
  } catch {
    // There is nowhere left to tell it.
  }
}

/**
 * Aborts on the first SIGINT or SIGTERM. The next one ends the process at
 * once: a TPM that hangs would keep it from stopping in order.
 */
function stopSignal(): AbortSignal & Disposable {
  const controller = new AbortController();
  const signals = ["SIGINT", "SIGTERM"] as const;
  const forget = (): void => {
    for (const name of signals) Deno.removeSignalListener(name, stop);
  };
  const stop = (): void => {
    forget();
    controller.abort();
  };
  for (const name of signals) Deno.addSignalListener(name, stop);
  return Object.assign(controller.signal, { [Symbol.dispose]: forget });
}

/** Where the TPM is: `TCTI`, else the device that exists. */
async function tcti(): Promise<string> {
  const chosen = Deno.env.get("TCTI");
  if (chosen) return chosen;
  const [managed, raw] = ["/dev/tpmrm0", "/dev/tpm0"];
  const exists = (path: string): Promise<boolean> =>
    Deno.stat(path).then(() => true, () => false);
  const isRawAlone = !await exists(managed) && await exists(raw);
  return `device:${isRawAlone ? raw : managed}`;
}

/** How often the service manager wants a sign of life, in milliseconds. */
function watchdogMs(): number | undefined {
  return watchdogPeriod({
    usec: Deno.env.get("WATCHDOG_USEC"),
    pid: Deno.env.get("WATCHDOG_PID"),
  }, Deno.pid);
}

/** Does what the arguments say to its end, and sets the exit code. */
async function main(): Promise<void> {
  const task = readArguments(Deno.args);
  const log = createLog(Deno.env.get("RUST_LOG"), printLine, {
    hasPriorities: isJournal(STANDARD_ERROR, Deno.env.get("JOURNAL_STREAM")),
  });
  using notifier = new Notifier(Deno.env.get("NOTIFY_SOCKET"), log);
  using stop = stopSignal();
  try {
    const config = await loadConfig({
      environment: Deno.env.toObject(),
      files: systemFiles(),
      uid: Deno.uid() ?? 0,
    });
    config.environment.forEach((line) => log.debug(line));
    config.warnings.forEach((sentence) => log.warn(sentence));
    if (task === "evict") {
      const done = await evictAttestationKey(config, await tcti());
      process.stdout.write(`${done}\n`);
      return;
    }
    const service = { notifier, watchdogMs: watchdogMs() };
    await runAgent({ config, tcti: await tcti(), service, log, stop }).catch(
      (error) => {
        if (error !== stop.reason) throw error;
      },
    );
    log.info("Stopped");
  } catch (error) {
    const reason = describe(error);
    log.error(reason);
    notifier.send({ STATUS: `Ended: ${reason}` });
    process.exitCode = exitCodeOf(error);
  }
}

// Not awaited: the module that a portable executable runs is of CommonJS, which
// cannot await, so that Deno runs it without keeping its syntax tree.
void main();
