/**
 * The IMA measurement list, read from any entry on.
 *
 * The text goes out exactly as the kernel wrote it; what its lines mean is the
 * verifier's business.
 *
 * @module
 */

import { LogFile } from "./log_file.ts";

/** The part of the list that answers one request. */
export interface ListSlice {
  /** Entries from `entry` to the end, original newlines, maybe empty. */
  readonly text: string;
  /** Index of the first entry in `text`: the one asked for, or 0. */
  readonly entry: number;
  /** Whether bytes that are no UTF-8 became U+FFFD in `text`. */
  readonly hadInvalidUtf8: boolean;
}

/** A known start of an entry. */
interface Mark {
  readonly entry: number;
  readonly offset: number;
  /** The bytes just before `offset`, which tell whether it still holds. */
  readonly tail: Uint8Array;
}

const START: Mark = { entry: 0, offset: 0, tail: new Uint8Array() };

/** Enough of a line to hold part of its digests. */
const TAIL_BYTES = 128;

/** A verifier needs two marks; some others may poll the same agent. */
const MAX_MARKS = 32;

const NEWLINE = 0x0a;

/**
 * The kernel's `ascii_runtime_measurements`, opened once. Reads are answered
 * one after the other, because they share one descriptor: after the privilege
 * drop there is no other.
 */
export class MeasurementList implements Disposable {
  #log: LogFile;
  /** Least recently used first. */
  #marks = new Map<number, Mark>();
  #lastRead: Promise<unknown> = Promise.resolve();

  private constructor(log: LogFile) {
    this.#log = log;
  }

  /**
   * Opens the list at `path`; never throws, see
   * {@linkcode MeasurementList.problem}.
   */
  static async open(path: string): Promise<MeasurementList> {
    return new MeasurementList(await LogFile.open(path));
  }

  /** Why there is no list, or undefined when it is open. */
  get problem(): Error | undefined {
    return this.#log.problem;
  }

  /**
   * The list from entry `fromEntry` on (contract section 7.1): nothing new
   * gives an empty text; past the end, the whole list from entry 0. A last
   * line still without its newline is in the text but is no entry yet.
   *
   * Returns undefined when there is no list; each call looks for it again.
   * Throws RangeError when `fromEntry` is not a natural number, and Error when
   * the list cannot be read.
   */
  async read(fromEntry: number): Promise<ListSlice | undefined> {
    if (!(fromEntry >= 0) || !Number.isInteger(fromEntry)) {
      throw new RangeError(`IMA entry must be a natural number: ${fromEntry}`);
    }
    const slice = this.#lastRead.then(() => this.#read(fromEntry));
    this.#lastRead = slice.catch(() => {});
    return await slice;
  }

  /** Closes the list. */
  [Symbol.dispose](): void {
    this.#log[Symbol.dispose]();
  }

  async #read(fromEntry: number): Promise<ListSlice | undefined> {
    const file = await this.#log.file();
    if (file === undefined) return undefined;
    try {
      let mark = this.#nearest(fromEntry);
      if (!await seekTo(file, mark)) {
        this.#marks.clear();
        mark = START;
        await seekTo(file, mark);
      }
      const slice = await this.#readOn(file, { mark, fromEntry });
      if (slice !== undefined) return slice;
      await seekTo(file, START);
      return await this.#readOn(file, { mark: START, fromEntry: 0 });
    } catch (cause) {
      throw new Error(
        `Cannot read the IMA measurement list ${
          JSON.stringify(this.#log.path)
        }`,
        { cause },
      );
    }
  }

  /**
   * Reads `file`, which stands at `mark`, to its end. Returns what follows the
   * start of entry `fromEntry`, or undefined when the list ends before it.
   */
  async #readOn(
    file: Deno.FsFile,
    { mark, fromEntry }: { mark: Mark; fromEntry: number },
  ): Promise<ListSlice | undefined> {
    let { entry, offset, tail } = mark;
    const parts: Uint8Array[] = [];
    for await (const chunk of chunksOf(file)) {
      let start = 0;
      while (entry < fromEntry) {
        const newline = chunk.indexOf(NEWLINE, start);
        if (newline < 0) break;
        entry++;
        start = newline + 1;
      }
      const skipped = entry < fromEntry ? chunk : chunk.subarray(0, start);
      offset += skipped.length;
      tail = lastBytes(tail, skipped);
      if (skipped.length < chunk.length) {
        parts.push(chunk.slice(skipped.length));
      }
    }
    if (entry < fromEntry) return undefined;
    const bytes = concatenated(parts);
    this.#remember({ entry, offset, tail });
    const size = bytes.lastIndexOf(NEWLINE) + 1;
    this.#remember({
      entry: entry + newlinesIn(bytes),
      offset: offset + size,
      tail: lastBytes(tail, bytes.subarray(0, size)),
    });
    return { ...decoded(bytes), entry };
  }

  /** The last mark at or below `entry`: an idle list costs one short read. */
  #nearest(entry: number): Mark {
    let best = START;
    for (const mark of this.#marks.values()) {
      if (mark.entry <= entry && mark.entry > best.entry) best = mark;
    }
    if (best !== START) this.#remember(best);
    return best;
  }

  #remember(mark: Mark): void {
    this.#marks.delete(mark.entry);
    this.#marks.set(mark.entry, mark);
    for (const oldest of this.#marks.keys()) {
      if (this.#marks.size <= MAX_MARKS) break;
      this.#marks.delete(oldest);
    }
  }
}

/**
 * Moves `file` to `mark`. Returns false when other bytes precede it now, so
 * the list was cut or replaced.
 */
async function seekTo(file: Deno.FsFile, mark: Mark): Promise<boolean> {
  await file.seek(mark.offset - mark.tail.length, Deno.SeekMode.Start);
  const found = new Uint8Array(mark.tail.length);
  for (let length = 0; length < found.length;) {
    const count = await file.read(found.subarray(length));
    if (count === null) return false;
    length += count;
  }
  return found.every((byte, i) => byte === mark.tail[i]);
}

/**
 * What `file` still holds, in pieces that are valid until the next one. Only
 * the end of file ends it: the kernel reports size 0 and gives short reads.
 */
async function* chunksOf(file: Deno.FsFile): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(64 * 1024);
  for (;;) {
    const count = await file.read(buffer);
    if (count === null) return;
    yield buffer.subarray(0, count);
  }
}

/** The last bytes of `before` followed by `after`, as a mark keeps them. */
function lastBytes(before: Uint8Array, after: Uint8Array): Uint8Array {
  if (after.length === 0) return before;
  return concatenated([before, after.subarray(-TAIL_BYTES)]).slice(-TAIL_BYTES);
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function newlinesIn(bytes: Uint8Array): number {
  let count = 0;
  for (
    let at = bytes.indexOf(NEWLINE);
    at >= 0;
    at = bytes.indexOf(NEWLINE, at + 1)
  ) count++;
  return count;
}

/** One odd file name must not cost the whole list, so it is replaced. */
function decoded(
  bytes: Uint8Array,
): { text: string; hadInvalidUtf8: boolean } {
  const decode = (fatal: boolean): string =>
    new TextDecoder("utf-8", { fatal, ignoreBOM: true }).decode(bytes);
  try {
    return { text: decode(true), hadInvalidUtf8: false };
  } catch {
    return { text: decode(false), hadInvalidUtf8: true };
  }
}
