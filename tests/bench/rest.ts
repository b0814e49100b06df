/**
 * Pauses, for what an agent does when it is left alone.
 *
 * @module
 */

/** Until the agent has seen that it rests, and has given memory back. */
export const REST_MS = 130_000;

/** Resolves after `milliseconds`. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
