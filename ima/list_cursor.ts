/**
 * One descriptor of the IMA measurement list, and where it stands.
 *
 * The kernel's list is a seq_file: a seek formats every entry before it again,
 * so a descriptor is left where the list ended and reads on from there. What
 * it read last stays at hand for whoever lags a little behind.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { LogFile } from "./log_file.ts";

/** Whole entries, as the list has them. */
interface Piece {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly entries: number;
}

const NEWLINE = 0x0a;

const CHUNK_BYTES = 64 * 1024;

/** About 1,500 entries. */
const KEPT_BYTES = 256 * 1024;

/** No kernel writes an entry as long as this. */
const MAX_ENTRY_BYTES = 16 * 1024 * 1024;

/** Enough of an entry to hold part of its digests. */
const TAIL_BYTES = 128;

/** `f_type` of the file system that kernel lists are on. */
const SECURITYFS_MAGIC = 0x73636673;

const NOTHING = new Uint8Array();

/** Whether `path` is a list of the kernel itself, not a copy of one. */
export async function isKernelList(path: string): Promise<boolean> {
  const status = await statfs(path).catch(() => undefined);
  return status?.type === SECURITYFS_MAGIC;
}

/** How many entries the kernel's list has, as told by a file beside it. */
class KernelCount implements Disposable {
  readonly #file: Deno.FsFile;

  private constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /** The counter of the list at `path`; a container may have only the list. */
  static async open(path: string): Promise<KernelCount | undefined> {
    const counter = `${dirname(path)}/runtime_measurements_count`;
    const file = await Deno.open(counter).catch(() => undefined);
    return file && new KernelCount(file);
  }

  read(): number {
    const digits = new Uint8Array(32);
    this.#file.seekSync(0, Deno.SeekMode.Start);
    const length = this.#file.readSync(digits) ?? 0;
    return Number(new TextDecoder().decode(digits.subarray(0, length)));
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** A reader of the list that goes on where it stopped. Not re-entrant. */
export class ListCursor implements Disposable {
  readonly #log: LogFile;
  readonly #isKernelList: (path: string) => Promise<boolean>;
  #kind: "unknown" | "kernel" | "file" = "unknown";
  #count: KernelCount | undefined;
  #entry = 0;
  #offset = 0;
  #kept: Piece[] = [];
  #keptBytes = 0;
  #keptEntries = 0;
  /** What was read of the entry at {@linkcode ListCursor.entry}. */
  #partial: Uint8Array<ArrayBuffer> = NOTHING;
  /** Whether what is noted here agrees with where the descriptor stands. */
  #isInStep = true;
  /** What is read into: one for good, for a poll must leave no garbage. */
  #buffer: Uint8Array<ArrayBuffer> | undefined;

  /** Stands at the start of the list in `log`. */
  constructor(
    log: LogFile,
    isKernelList: (path: string) => Promise<boolean>,
  ) {
    this.#log = log;
    this.#isKernelList = isKernelList;
  }

  /** How many entries it has read: the index of the next one. */
  get entry(): number {
    return this.#entry;
  }

  /** Index of the first entry that it can still give without a rewind. */
  get firstEntry(): number {
    return this.#entry - this.#keptEntries;
  }

  /** Opens the list if it is not open. Returns whether there is one. */
  async open(): Promise<boolean> {
    if (await this.#log.file() === undefined) return false;
    if (this.#kind === "unknown") {
      const { path } = this.#log;
      this.#kind = await this.#isKernelList(path) ? "kernel" : "file";
      if (this.#kind === "kernel") this.#count = await KernelCount.open(path);
    }
    return true;
  }

  /**
   * The list from entry `from` on to its end, in pieces of whole entries; only
   * the last one may lack its newline. There are none if the list ends before
   * `from`, which then is greater than {@linkcode ListCursor.entry}.
   */
  async *read(from: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const file = await this.#log.file();
    if (file === undefined) throw new Error("The list is not open");
    const isIdle = this.#settle(file, from);
    let entry = this.firstEntry;
    for (const piece of [...this.#kept]) {
      yield* fromEntry(piece, from - entry);
      entry += piece.entries;
    }
    if (!isIdle) {
      for await (const piece of this.#newPieces(file)) {
        yield* fromEntry(piece, from - entry);
        entry += piece.entries;
      }
    }
    if (entry >= from && this.#partial.length > 0) yield this.#partial;
  }

  /** Closes the list. */
  [Symbol.dispose](): void {
    this.#count?.[Symbol.dispose]();
    this.#log[Symbol.dispose]();
  }

  /**
   * Goes back to the start if the list is no longer what it was, a failure has
   * interrupted the reading, or entry `from` is out of reach. Returns whether
   * there is nothing new to read.
   *
   * All of it is done at once: these are a few bytes, and another thread would
   * take longer to hear of them than to get them.
   */
  #settle(file: Deno.FsFile, from: number): boolean {
    if (!this.#isInStep || from < this.firstEntry) this.#rewind(file);
    if (this.#kind === "file") {
      if (!this.#isAsItWas(file)) this.#rewind(file);
      return false;
    }
    const count = this.#count?.read() ?? Infinity;
    if (count < this.#entry) this.#rewind(file);
    return count === this.#entry;
  }

  #rewind(file: Deno.FsFile): void {
    file.seekSync(0, Deno.SeekMode.Start);
    this.#entry =
      this.#offset =
      this.#keptBytes =
      this.#keptEntries =
        0;
    this.#kept = [];
    this.#partial = NOTHING;
    this.#isInStep = true;
  }

  /** Whether the bytes before the position are those that were read there. */
  #isAsItWas(file: Deno.FsFile): boolean {
    const last = this.#kept.at(-1)?.bytes.subarray(-TAIL_BYTES) ?? NOTHING;
    const tail = Buffer.concat([last, this.#partial]).subarray(-TAIL_BYTES);
    file.seekSync(this.#offset - tail.length, Deno.SeekMode.Start);
    const found = new Uint8Array(tail.length);
    return (file.readSync(found) ?? 0) === tail.length &&
      found.every((byte, at) => byte === tail[at]);
  }

  async *#newPieces(file: Deno.FsFile): AsyncGenerator<Piece> {
    this.#buffer ??= new Uint8Array(CHUNK_BYTES);
    for (let isEnd = false; !isEnd;) {
      this.#isInStep = false;
      const read = await fill(file, this.#buffer);
      isEnd = read.length < CHUNK_BYTES;
      this.#offset += read.length;
      const end = read.lastIndexOf(NEWLINE) + 1;
      // Copies, for the buffer is used again.
      const bytes = Buffer.concat([
        this.#partial,
        read.subarray(0, end || undefined),
      ]);
      this.#partial = end === 0 ? bytes : read.slice(end);
      if (this.#partial.length > MAX_ENTRY_BYTES) {
        throw new RangeError(
          `Entry ${this.#entry} has more than ${MAX_ENTRY_BYTES} bytes, so ` +
            "this is no measurement list",
        );
      }
      const piece = end > 0 ? this.#keep(bytes) : undefined;
      this.#isInStep = true;
      if (piece !== undefined) yield piece;
    }
  }

  #keep(bytes: Uint8Array<ArrayBuffer>): Piece {
    const piece = { bytes, entries: newlinesIn(bytes) };
    this.#entry += piece.entries;
    this.#kept.push(piece);
    this.#keptBytes += bytes.length;
    this.#keptEntries += piece.entries;
    while (this.#keptBytes > KEPT_BYTES && this.#kept.length > 1) {
      const oldest = this.#kept.shift();
      this.#keptBytes -= oldest?.bytes.length ?? 0;
      this.#keptEntries -= oldest?.entries ?? 0;
    }
    return piece;
  }
}

/**
 * Reads into `buffer` until it is full or the file ends, and returns what was
 * read: the kernel gives one page at a time.
 */
async function fill(
  file: Deno.FsFile,
  buffer: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  for (let length = 0;;) {
    if (length === buffer.length) return buffer;
    const count = await file.read(buffer.subarray(length));
    if (count === null) return buffer.subarray(0, length);
    length += count;
  }
}

/** What `piece` has after its first `skip` entries. */
function* fromEntry(
  { bytes, entries }: Piece,
  skip: number,
): Generator<Uint8Array<ArrayBuffer>> {
  if (skip >= entries) return;
  let start = 0;
  for (let skipped = 0; skipped < skip; skipped++) {
    start = bytes.indexOf(NEWLINE, start) + 1;
  }
  yield bytes.subarray(start);
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
