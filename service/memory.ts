/**
 * The process's memory, kept near what it was after the start: garbage that V8
 * has no reason to collect yet, and free room that the C library keeps in its
 * heap, go back to the system.
 *
 * @module
 */

import type { Log } from "../log/log.ts";
import { openLibc } from "./libc.ts";

/** How far resident memory may grow before something is done. */
const SLACK_BYTES = 2 * 2 ** 20;

/** So many looks may find the process at work before it is disturbed. */
const LOOKS_AT_WORK = 15;

/** Pauses in milliseconds; tests replace them. */
export interface MemoryPauses {
  /** Before each look at what is resident. */
  readonly look: number;
  /** Until V8's other threads have freed what a collection found. */
  readonly settling: number;
}

const PAUSES: MemoryPauses = { look: 60_000, settling: 1_000 };

/** What the process has in memory, and how it gives some of it back. */
export interface Heaps {
  /** Resident memory, in bytes. */
  resident(): number;
  /** Frees the objects that nobody refers to, in some 30 milliseconds. */
  collect(): void;
  /** Gives free memory of the C library's heap back. */
  trim(): void;
}

/**
 * Gives memory back that nobody needs any more: soon when the process rests,
 * and now and then when it does not.
 */
export class MemoryKeeper implements Disposable {
  readonly #log: Log;
  readonly #heaps: Heaps;
  readonly #pauses: MemoryPauses;
  /** What was resident when there was nothing to give back. */
  #least = 0;
  #hasWorked = false;
  #looksAtWork = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Does nothing before {@linkcode MemoryKeeper.start}. */
  constructor(
    log: Log,
    heaps: Heaps = processHeaps(),
    pauses: MemoryPauses = PAUSES,
  ) {
    this.#log = log;
    this.#heaps = heaps;
    this.#pauses = pauses;
  }

  /** The process has worked, and may have more to do soon. */
  worked(): void {
    this.#hasWorked = true;
  }

  /** Takes what is resident now for what the process needs. */
  start(): void {
    this.#least = this.#heaps.resident();
    this.#lookLater();
  }

  #lookLater(): void {
    this.#timer = setTimeout(() => this.#look(), this.#pauses.look);
  }

  #look(): void {
    this.#looksAtWork = this.#hasWorked ? this.#looksAtWork + 1 : 0;
    const isDue = !this.#hasWorked || this.#looksAtWork > LOOKS_AT_WORK;
    this.#hasWorked = false;
    const resident = this.#heaps.resident();
    if (!isDue || resident - this.#least <= SLACK_BYTES) {
      this.#lookLater();
      return;
    }
    this.#looksAtWork = 0;
    this.#heaps.collect();
    this.#timer = setTimeout(
      () => this.#giveBack(resident),
      this.#pauses.settling,
    );
  }

  #giveBack(before: number): void {
    this.#heaps.trim();
    this.#least = this.#heaps.resident();
    this.#lookLater();
    const [most, least] = [before, this.#least].map((bytes) =>
      `${Math.round(bytes / 2 ** 20)} MiB`
    );
    this.#log.debug(`Resident memory went from ${most} to ${least}`);
  }

  /** Gives nothing back any more. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/** What V8 offers with `--expose-gc`. */
interface Collector {
  readonly gc?: (kind: { type: "major"; flavor: "last-resort" }) => void;
}

/**
 * The heaps of this process. What a runtime without `--expose-gc` or
 * another C library than glibc does not offer is not done.
 */
export function processHeaps(): Heaps {
  const { gc } = globalThis as Collector;
  return {
    resident: () => Deno.memoryUsage().rss,
    // Any other kind leaves V8 the room that it finds.
    collect: () => gc?.({ type: "major", flavor: "last-resort" }),
    trim: mallocTrim,
  };
}

/** malloc_trim(3), if there is one. */
function mallocTrim(): void {
  try {
    using libc = openLibc({
      malloc_trim: { parameters: ["usize"], result: "i32" },
    });
    libc.symbols.malloc_trim(0n);
  } catch {
    // Only glibc has it.
  }
}
