/**
 * What becomes of a revocation that reaches the agent: it is checked at once,
 * waits for its turn, and then its actions run (contract section 9).
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { RevocationConfig } from "../config/agent_config.ts";
import { describe, type Log } from "../log/log.ts";
import { runAction } from "./action_run.ts";
import { deliveredNames, findAction } from "./actions.ts";
import { RevocationCertificate } from "./certificate.ts";
import { RevocationError } from "./error.ts";
import {
  MESSAGE_LIMIT,
  parseMessage,
  type RevocationMessage,
} from "./message.ts";
import { checkSignature, type Notification } from "./signature.ts";
import { followNotifier } from "./zeromq.ts";

/** What revocations need. */
export interface RevocationsOptions {
  /** How they arrive and what they start. */
  readonly config: RevocationConfig;
  /** Absolute path of the working directory; actions run there. */
  readonly keylimeDir: string;
  /** Each step and each refusal goes here. */
  readonly log: Log;
  /** Ends everything when it aborts. */
  readonly signal: AbortSignal;
}

/** Takes what the verifier posts to `notifications/revocation`. */
export interface RevocationReceiver {
  /**
   * Checks a notification and queues it. Whether it is genuine is told to the
   * log alone. False when the agent cannot act on it for its own reasons: it
   * stops, or too many wait.
   */
  submit(notification: Notification): boolean;
}

/** Most revocations that wait for their turn. */
const QUEUE_LIMIT = 32;

/** How many revocations are remembered, to know one that comes twice. */
const MEMORY_LIMIT = 1_024;

/** The agent's part in revocations, from the first to the end of its life. */
export class Revocations implements RevocationReceiver, AsyncDisposable {
  readonly #config: RevocationConfig;
  readonly #keylimeDir: string;
  readonly #log: Log;
  readonly #certificate: RevocationCertificate;
  readonly #disposal = new AbortController();
  readonly #signal: AbortSignal;
  readonly #seen = new Set<string>();
  readonly #listener: Promise<void>;
  #waiting = 0;
  #tail: Promise<void> = Promise.resolve();

  private constructor(
    { config, keylimeDir, log, signal }: RevocationsOptions,
    certificate: RevocationCertificate,
  ) {
    this.#config = config;
    this.#keylimeDir = keylimeDir;
    this.#log = log;
    this.#certificate = certificate;
    this.#signal = AbortSignal.any([signal, this.#disposal.signal]);
    this.#listener = config.notifications.kind === "rest_and_zeromq"
      ? followNotifier(config.notifications, {
        onNotification: (notification) => this.submit(notification),
        log,
        signal: this.#signal,
      })
      : Promise.resolve();
  }

  /** Reads the certificate if it is there, and listens if it is wanted. */
  static async open(options: RevocationsOptions): Promise<Revocations> {
    const { config, log } = options;
    const certificate = await RevocationCertificate.open(
      config.certificate,
      log,
    );
    return new Revocations(options, certificate);
  }

  /** Reads the certificate anew; to be called after each payload. */
  async reload(): Promise<void> {
    await this.#certificate.reload();
  }

  /** As {@linkcode RevocationReceiver.submit} says. */
  submit(notification: Notification): boolean {
    if (this.#signal.aborted) return false;
    let message: RevocationMessage;
    try {
      message = this.#checked(notification);
    } catch (error) {
      if (!(error instanceof RevocationError)) throw error;
      this.#log.warn(`Revocation dropped: ${describe(error)}`);
      return true;
    }
    const digest = createHash("sha256").update(notification.msg).digest("hex");
    if (this.#seen.has(digest)) {
      this.#log.info(`Revocation dropped, it came before: ${message.subject}`);
      return true;
    }
    if (this.#waiting >= QUEUE_LIMIT) {
      this.#log.error(
        `Revocation dropped, ${QUEUE_LIMIT} others wait for their actions: ` +
          message.subject,
      );
      return false;
    }
    this.#remember(digest);
    this.#log.info(`Revocation received: ${message.subject}`);
    this.#enqueue(message);
    return true;
  }

  #checked(notification: Notification): RevocationMessage {
    if (notification.msg.length > MESSAGE_LIMIT) {
      throw new RevocationError(
        "message",
        `The message has ${notification.msg.length} characters, ` +
          `expected at most ${MESSAGE_LIMIT}`,
      );
    }
    checkSignature(this.#certificate.key, notification);
    return parseMessage(notification.msg);
  }

  #remember(digest: string): void {
    this.#seen.add(digest);
    const [oldest] = this.#seen;
    if (this.#seen.size > MEMORY_LIMIT && oldest !== undefined) {
      this.#seen.delete(oldest);
    }
  }

  #enqueue(message: RevocationMessage): void {
    this.#waiting++;
    this.#tail = this.#tail.then(async () => {
      this.#waiting--;
      await this.#act(message);
    });
  }

  /** Runs the actions for `message`; never rejects. */
  async #act(message: RevocationMessage): Promise<void> {
    if (this.#signal.aborted) {
      this.#log.warn(
        `Revocation dropped because the agent stops: ${message.subject}`,
      );
      return;
    }
    try {
      let count = 0;
      for await (const name of this.#names()) {
        await this.#run(name, message);
        count++;
      }
      if (count === 0) this.#log.info("No revocation action is set up");
    } catch (error) {
      this.#log.error(`Revocation actions ended early: ${describe(error)}`);
    }
  }

  get #unzipped(): string {
    return `${this.#keylimeDir}/secure/unzipped`;
  }

  /** The administrator's list does not depend on the payload's being one. */
  async *#names(): AsyncGenerator<string> {
    yield* this.#config.actions;
    yield* await deliveredNames(this.#unzipped);
  }

  async #run(name: string, message: RevocationMessage): Promise<void> {
    const { actionsDir, payloadActions, actionTimeLimitMs } = this.#config;
    const path = await findAction(name, {
      installed: actionsDir,
      delivered: payloadActions === "allowed" ? this.#unzipped : undefined,
    });
    if (path === undefined) {
      this.#log.warn(
        `Revocation action ${name} skipped: it is not in option ` +
          '"revocation_actions_dir", and option ' +
          '"allow_payload_revocation_actions" is off',
      );
      return;
    }
    await runAction({
      name,
      path,
      message: message.text,
      directory: this.#keylimeDir,
      timeLimitMs: actionTimeLimitMs,
      log: this.#log,
      signal: this.#signal,
    });
  }

  /** Ends the running action, drops what waits, and stops listening. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposal.abort();
    await Promise.all([this.#tail, this.#listener]);
  }
}
