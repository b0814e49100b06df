/**
 * Listens to a verifier's ZeroMQ publisher for revocations, over outages of
 * it (contract section 9.4).
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";
import type { Endpoint } from "../config/agent_config.ts";
import { describe, type Log } from "../log/log.ts";
import type { Notification } from "./signature.ts";
import { ZmtpSubscription } from "./zmtp.ts";

/** How a notifier is followed. */
export interface FollowOptions {
  /** Gets each notification, genuine or not. */
  readonly onNotification: (notification: Notification) => void;
  /** Gets what becomes of the connection. */
  readonly log: Log;
  /** Ends it when it aborts. */
  readonly signal: AbortSignal;
  /** Milliseconds before the first new attempt; one second unless told. */
  readonly firstDelayMs?: number;
}

/** Largest frame that is taken: a message of 1 MiB, escaped, and a signature. */
const FRAME_LIMIT = 2_097_152;

const HANDSHAKE_LIMIT_MS = 10_000;

/** Longest pause between two attempts. */
const DELAY_MAX_MS = 30_000;

/** A connection that stood this long was no failed attempt. */
const STABLE_MS = 10_000;

/**
 * Passes on what the publisher at `endpoint` sends, connecting anew whenever
 * the connection ends. Resolves, never rejects, once its signal has aborted.
 */
export async function followNotifier(
  endpoint: Endpoint,
  options: FollowOptions,
): Promise<void> {
  const { log, signal, firstDelayMs = 1_000 } = options;
  const { ip, port } = endpoint;
  let delay = firstDelayMs;
  let isTold = false;
  while (!signal.aborted) {
    const started = performance.now();
    const lost = await follow(endpoint, {
      ...options,
      onBegin: () => {
        isTold = false;
        log.info(`Listening for revocations over ZeroMQ from ${ip}:${port}`);
      },
    });
    if (signal.aborted) break;
    const sentence = `Not listening for revocations over ZeroMQ from ` +
      `${ip}:${port}, will go on trying: ${describe(lost)}`;
    // Once for each outage; a notifier may be down for days.
    if (isTold) log.debug(sentence);
    else log.warn(sentence);
    isTold = true;
    if (performance.now() - started > STABLE_MS) delay = firstDelayMs;
    await pause(delay * (0.5 + Math.random()), undefined, { signal })
      .catch(() => {});
    delay = Math.min(delay * 2, DELAY_MAX_MS);
  }
}

/** Follows one connection to its end, and resolves with why it ended. */
async function follow(
  { ip, port }: Endpoint,
  options: FollowOptions & { readonly onBegin: () => void },
): Promise<unknown> {
  const { log, signal, onBegin, onNotification } = options;
  try {
    using connection = await Deno.connect({ hostname: ip, port, signal });
    connection.setKeepAlive(true);
    using _stop = closingOn(signal, connection);
    const subscription = await ZmtpSubscription.begin(connection, {
      messageLimit: FRAME_LIMIT,
      handshakeLimitMs: HANDSHAKE_LIMIT_MS,
    });
    onBegin();
    for (;;) {
      const message = await subscription.next();
      const notification = message && notificationIn(message);
      if (notification !== undefined) onNotification(notification);
      else log.warn("Revocation dropped: not what a notifier sends");
    }
  } catch (error) {
    return error;
  }
}

/** Ends pending reads of `connection` when `signal` aborts. */
function closingOn(signal: AbortSignal, connection: Deno.Conn): Disposable {
  const close = (): void => connection.close();
  signal.addEventListener("abort", close);
  return {
    [Symbol.dispose]: () => signal.removeEventListener("abort", close),
  };
}

/** The notification that `message` is the JSON text of, if any. */
function notificationIn(message: Uint8Array): Notification | undefined {
  try {
    const { msg, signature }: Record<string, unknown> = JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(message),
    ) ?? {};
    if (typeof msg !== "string" || typeof signature !== "string") return;
    return { msg, signature };
  } catch {
    return undefined;
  }
}
