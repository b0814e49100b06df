/**
 * The line about the agent in `systemctl status`: whether it is registered,
 * and the last quote.
 *
 * @module
 */

import type { RegistrationProgress } from "../agent/registration.ts";
import { describe } from "../log/log.ts";
import type { Notice, NoticeReceiver } from "./notifier.ts";

/** How often quotes alone may change the line. */
const PAUSE_MS = 5000;

/** Of an error's text. */
const MAX_REASON_LENGTH = 200;

/** Tells a service manager how the agent is, from its start to its stop. */
export class Status implements Disposable {
  readonly #receiver: NoticeReceiver;
  readonly #pauseMs: number;
  #registration = "Not registered: asking the registrar";
  #isRegistered = false;
  #quotes = 0;
  #lastQuote: Date | undefined;
  #quoteFailure: string | undefined;
  #isStopping = false;
  /** Runs while quotes change nothing, to spare the service manager. */
  #pause: ReturnType<typeof setTimeout> | undefined;
  #isOutdated = false;

  /**
   * Says that the agent starts.
   *
   * @param options `pauseMs` is the shortest time between two lines that
   * differ in quotes alone; tests replace it
   */
  constructor(
    receiver: NoticeReceiver,
    { pauseMs = PAUSE_MS }: { readonly pauseMs?: number } = {},
  ) {
    this.#receiver = receiver;
    this.#pauseMs = pauseMs;
    receiver.send({ STATUS: "Starting: waiting for the TPM" });
  }

  /** The agent listens. */
  ready(): void {
    this.#publish({ READY: "1" });
  }

  /** An attempt to register ended. */
  registration(progress: RegistrationProgress): void {
    this.#isRegistered = progress.kind === "registered";
    this.#registration = progress.kind === "registered"
      ? `Registered with registrar ${progress.registrar}`
      : `Not registered: ${reason(progress.error)}; trying again in ${
        Math.ceil(progress.delayMs / 1000)
      } s`;
    this.#publish();
  }

  /** A quote was made, or could not be because of `failure`. */
  quoted(failure?: unknown): void {
    if (failure === undefined) {
      this.#quotes++;
      this.#lastQuote = new Date();
      this.#quoteFailure = undefined;
    } else {
      this.#quoteFailure = `last quote failed: ${reason(failure)}`;
    }
    if (this.#pause === undefined) this.#publish();
    else this.#isOutdated = true;
  }

  /** The agent ends; nothing is published any more. */
  stopping(): void {
    this.#isStopping = true;
    this.#receiver.send({ STOPPING: "1", STATUS: "Stopping" });
  }

  #publish(notice: Notice = {}): void {
    if (this.#isStopping) return;
    clearTimeout(this.#pause);
    this.#isOutdated = false;
    this.#receiver.send({ ...notice, STATUS: this.#sentence() });
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      if (this.#isOutdated) this.#publish();
    }, this.#pauseMs);
  }

  #sentence(): string {
    const parts = [this.#registration];
    if (this.#lastQuote !== undefined) {
      const count = this.#quotes === 1
        ? "1 quote"
        : `${this.#quotes.toLocaleString("en-US")} quotes`;
      parts.push(`${count}, last ${timestamp(this.#lastQuote)}`);
    } else if (this.#isRegistered) {
      parts.push("no quote yet");
    }
    if (this.#quoteFailure !== undefined) parts.push(this.#quoteFailure);
    return parts.join("; ");
  }

  /** Publishes nothing any more. */
  [Symbol.dispose](): void {
    this.#isStopping = true;
    clearTimeout(this.#pause);
  }
}

function reason(error: unknown): string {
  const text = describe(error);
  return text.length > MAX_REASON_LENGTH
    ? `${text.slice(0, MAX_REASON_LENGTH)}…`
    : text;
}

/** In UTC, to the second: `2026-11-22T22:30:11Z`. */
function timestamp(time: Date): string {
  return time.toISOString().replace(/\.\d+/, "");
}
