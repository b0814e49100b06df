/**
 * Waiting for something to become so, instead of sleeping and hoping.
 *
 * @module
 */

/** How long and how often {@linkcode waitFor} looks. */
export interface WaitOptions {
  /** Give up after this long. */
  readonly timeoutMs?: number;
  /** Pause between two looks. */
  readonly everyMs?: number;
}

/**
 * Calls `look` until it gives something other than undefined or false, and
 * resolves with that.
 *
 * @param what what is waited for, for the error message
 * @throws Error when it does not come within `timeoutMs` (30 s unless told);
 * what `look` itself throws passes through at once
 */
export async function waitFor<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  options: WaitOptions = {},
): Promise<T> {
  const { timeoutMs = 30_000, everyMs = 50 } = options;
  const end = performance.now() + timeoutMs;
  while (true) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) {
      throw new Error(`Gave up after ${timeoutMs} ms waiting for ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/**
 * Resolves as `promise` does, if it does so in time.
 *
 * @throws Error when `timeoutMs` have passed before that
 */
export async function within<T>(
  timeoutMs: number,
  promise: Promise<T>,
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`Nothing came within ${timeoutMs} ms`)),
    timeoutMs,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
