/**
 * How long to wait before asking a registrar again (contract section 4.5).
 *
 * @module
 */

/** When a dialogue that failed is tried again. */
export interface Backoff {
  /** First pause in milliseconds. */
  readonly initialDelayMs: number;
  /** Longest pause in milliseconds. */
  readonly maxDelayMs: number;
  /** After how many failures the pause grows no more. */
  readonly maxRetries: number;
}

/** What happened so far. */
export interface Failures {
  /** How many attempts failed before the last one. */
  readonly before: number;
  /** How long the registrar asked us to wait, in milliseconds, if it did. */
  readonly retryAfterMs: number | undefined;
}

/**
 * The next pause in milliseconds, never longer than the longest. It is spread
 * by `random`, from 0 to 1, so that many machines do not ask a restarted
 * registrar at once: downwards if we chose it, upwards if the registrar did.
 */
export function pauseAfter(
  { before, retryAfterMs }: Failures,
  { initialDelayMs, maxDelayMs, maxRetries }: Backoff,
  random: number,
): number {
  if (retryAfterMs !== undefined) {
    const asked = Math.max(retryAfterMs, initialDelayMs);
    return Math.min(asked * (1 + random / 2), maxDelayMs);
  }
  const grown = initialDelayMs * 2 ** Math.min(before, maxRetries);
  return Math.min(grown, maxDelayMs) * (1 - random / 2);
}
