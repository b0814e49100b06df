/**
 * The proof of life that systemd can ask of a service (`WatchdogSec=`). An
 * agent lives as long as its TPM answers it.
 *
 * @module
 */

import { describe, type Log } from "../log/log.ts";
import type { NoticeReceiver } from "./notifier.ts";

/** Timers cannot count further, which is 24 days. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** What a service manager says of the watchdog, in environment variables. */
export interface WatchdogVariables {
  /** `WATCHDOG_USEC`: how long a sign of life holds, in microseconds. */
  readonly usec: string | undefined;
  /** `WATCHDOG_PID`: the process it is expected from, if that is told. */
  readonly pid: string | undefined;
}

/**
 * How long a sign of life of process `pid` holds, in milliseconds, or
 * undefined if nobody waits for one. sd_watchdog_enabled(3).
 */
export function watchdogPeriod(
  variables: WatchdogVariables,
  pid: number,
): number | undefined {
  const isOurs = !variables.pid || variables.pid === String(pid);
  if (!isOurs || !/^\d{1,18}$/.test(variables.usec ?? "")) return undefined;
  return Number(variables.usec) / 1000 || undefined;
}

/** Feeds the watchdog of a service manager while the TPM answers. */
export class Watchdog implements Disposable {
  readonly #receiver: NoticeReceiver;
  readonly #log: Log;
  readonly #watchdogMs: number | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #wasAnswered = false;
  #isAsking = false;

  /**
   * A watchdog that must be fed within `watchdogMs` milliseconds each time;
   * undefined for none. It is not fed before {@linkcode Watchdog.start}.
   */
  constructor(
    receiver: NoticeReceiver,
    { watchdogMs, log }: {
      readonly watchdogMs: number | undefined;
      readonly log: Log;
    },
  ) {
    this.#receiver = receiver;
    this.#watchdogMs = watchdogMs;
    this.#log = log;
  }

  /** The TPM has answered. */
  answered(): void {
    this.#wasAnswered = true;
  }

  /**
   * Feeds twice in a period, if the TPM has answered since the last time.
   * Where the agent's work has not made it, `ask` is to make it; an answer
   * comes through {@linkcode Watchdog.answered} in either case.
   */
  start(ask: () => Promise<unknown>): void {
    if (this.#watchdogMs === undefined) return;
    this.#timer = setInterval(
      () => this.#beat(ask),
      Math.min(this.#watchdogMs / 2, TIMER_MAX_MS),
    );
  }

  async #beat(ask: () => Promise<unknown>): Promise<void> {
    if (this.#wasAnswered) return this.#feed();
    if (this.#isAsking) {
      this.#log.warn(
        "The TPM does not answer; the service manager will end the agent",
      );
      return;
    }
    this.#isAsking = true;
    const failure = await ask().then(() => undefined, describe);
    this.#isAsking = false;
    if (this.#timer === undefined) return;
    if (this.#wasAnswered) this.#feed();
    else this.#log.warn(`The TPM gives no sign of life: ${failure}`);
  }

  #feed(): void {
    this.#wasAnswered = false;
    this.#receiver.send({ WATCHDOG: "1" });
  }

  /** Feeds no more. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
