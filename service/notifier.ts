/**
 * The agent's word to the service manager that started it: the protocol of
 * sd_notify(3).
 *
 * @module
 */

import { describe, type Log, oneLine, quoted } from "../log/log.ts";
import { DatagramSocket } from "./datagram_socket.ts";

/** Fields of sd_notify(3), as far as the agent has something to say. */
export interface Notice {
  /** The agent can be asked. */
  readonly READY?: "1";
  /** How it is, in a sentence for the administrator; any text. */
  readonly STATUS?: string;
  /** It is about to end. */
  readonly STOPPING?: "1";
  /** It does what it is there for. */
  readonly WATCHDOG?: "1";
}

/** Where notices go. */
export interface NoticeReceiver {
  /** Takes `notice`; returns at once and never fails. */
  send(notice: Notice): void;
}

/** Pauses before what could not be sent is tried again, in milliseconds. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 60_000;

/** Of a field's value. A whole notice may have 4096 bytes. */
const MAX_VALUE_LENGTH = 500;

/**
 * Sends notices to the socket of a service manager, if there is one. It never
 * waits: what a full queue does not take is sent later, the newest value of
 * each field, together.
 */
export class Notifier implements NoticeReceiver, Disposable {
  readonly #log: Log;
  readonly #socket: DatagramSocket | undefined;
  readonly #unsent = new Map<string, string>();
  #pauseMs = FIRST_PAUSE_MS;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #hasComplained = false;

  /**
   * A notifier of the service manager at `address`, the value of
   * `NOTIFY_SOCKET`; of nobody without one. An address that cannot be used is
   * told and ignored.
   */
  constructor(address: string | undefined, log: Log) {
    this.#log = log;
    if (!address) return;
    try {
      this.#socket = new DatagramSocket(address);
    } catch (error) {
      log.warn(
        `The service manager is told nothing, because NOTIFY_SOCKET is ` +
          `${quoted(address)}: ${describe(error)}`,
      );
    }
  }

  /** See {@linkcode NoticeReceiver.send}. */
  send(notice: Notice): void {
    if (this.#socket === undefined) return;
    for (const [field, value] of Object.entries(notice)) {
      // A line feed would start another field.
      this.#unsent.set(field, oneLine(value).slice(0, MAX_VALUE_LENGTH));
    }
    this.#flush(this.#socket);
  }

  #flush(socket: DatagramSocket): void {
    clearTimeout(this.#retry);
    const lines = [...this.#unsent].map(([field, value]) =>
      `${field}=${value}`
    );
    if (socket.send(new TextEncoder().encode(lines.join("\n")))) {
      this.#unsent.clear();
      this.#pauseMs = FIRST_PAUSE_MS;
      return;
    }
    if (!this.#hasComplained) {
      this.#log.debug("The service manager takes no notice; trying again");
      this.#hasComplained = true;
    }
    this.#retry = setTimeout(() => this.#flush(socket), this.#pauseMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }

  /** Gives up what is not sent yet. */
  [Symbol.dispose](): void {
    clearTimeout(this.#retry);
    this.#socket?.[Symbol.dispose]();
  }
}
