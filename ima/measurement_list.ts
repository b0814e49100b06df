/**
 * The IMA measurement list, read from any entry on.
 *
 * The text goes out exactly as the kernel wrote it; what its lines mean is the
 * verifier's business.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { isKernelList, ListCursor } from "./list_cursor.ts";
import { LogFile } from "./log_file.ts";

/** The part of the list that answers one request. */
export interface ListSlice {
  /** Index of the first entry in `text`: the one asked for, or 0. */
  readonly entry: number;
  /**
   * Entries from `entry` to the end, original newlines, maybe empty. A long
   * text is a stream, which must be read to its end or cancelled.
   */
  readonly text: string | ReadableStream<string>;
}

/** What {@linkcode MeasurementList.open} may be told. */
export interface MeasurementListOptions {
  /** Told when bytes at or after entry `from` are no UTF-8 and became U+FFFD. */
  readonly onInvalidUtf8?: (from: number) => void;
  /** Whether a path leads to a kernel's own list; tests replace it. */
  readonly isKernelList?: (path: string) => Promise<boolean>;
}

/**
 * One for those who keep up, and some for those who start at 0 meanwhile. A
 * client that is slow to take the list occupies one as long.
 */
const CURSORS = 4;

/** Longer answers are streamed. */
const MAX_STRING_BYTES = 256 * 1024;

type Pieces = AsyncGenerator<Uint8Array<ArrayBuffer>>;

/** A cursor, and whether somebody has it: for a moment, or for a stream. */
interface Place {
  readonly cursor: ListCursor;
  use: "idle" | "reading" | "streaming";
}

/**
 * The kernel's `ascii_runtime_measurements`, opened before the privilege drop:
 * afterwards there is no way to it but the descriptors that are open.
 */
export class MeasurementList implements Disposable {
  readonly #log: LogFile;
  readonly #places: readonly Place[];
  readonly #onInvalidUtf8: (from: number) => void;
  /** Resolves when some place is given back or turns to streaming. */
  #change = Promise.withResolvers<void>();

  private constructor(
    logs: readonly [LogFile, ...LogFile[]],
    options: MeasurementListOptions,
  ) {
    this.#log = logs[0];
    this.#places = logs.map((log) => ({
      cursor: new ListCursor(log, options.isKernelList ?? isKernelList),
      use: "idle",
    }));
    this.#onInvalidUtf8 = options.onInvalidUtf8 ?? (() => {});
  }

  /**
   * Opens the list at `path`; never throws, see
   * {@linkcode MeasurementList.problem}.
   */
  static async open(
    path: string,
    options: MeasurementListOptions = {},
  ): Promise<MeasurementList> {
    const list = new MeasurementList([
      await LogFile.open(path),
      ...await Promise.all(
        Array.from({ length: CURSORS - 1 }, () => LogFile.open(path)),
      ),
    ], options);
    await Promise.all(list.#places.map(({ cursor }) => cursor.open()));
    return list;
  }

  /** Why there is no list, or undefined when it is open. */
  get problem(): Error | undefined {
    return this.#log.problem;
  }

  /**
   * The list from entry `from` on (contract section 7.1): nothing new gives an
   * empty text; past the end, the whole list from entry 0. A last line still
   * without its newline is in the text but is no entry yet.
   *
   * Returns undefined when there is no list; each call looks for it again.
   * Throws RangeError when `from` is not a natural number, and Error when the
   * list cannot be read.
   */
  async read(from: number): Promise<ListSlice | undefined> {
    if (!(from >= 0) || !Number.isInteger(from)) {
      throw new RangeError(`IMA entry must be a natural number: ${from}`);
    }
    const slice = await this.#slice(from);
    return slice === "past the end" ? await this.read(0) : slice;
  }

  /** Closes the list. */
  [Symbol.dispose](): void {
    for (const { cursor } of this.#places) cursor[Symbol.dispose]();
  }

  async #slice(from: number): Promise<ListSlice | "past the end" | undefined> {
    const place = await this.#take(from);
    try {
      if (!await place.cursor.open()) return undefined;
      const pieces = place.cursor.read(from);
      const { bytes, isEnd } = await beginning(pieces);
      if (from > place.cursor.entry) return "past the end";
      const decode = this.#decoder(from);
      if (isEnd) return { entry: from, text: decode(bytes) };
      place.use = "streaming";
      this.#announce();
      return {
        entry: from,
        text: this.#stream(place, { bytes, pieces, decode }),
      };
    } catch (cause) {
      throw this.#unreadable(cause);
    } finally {
      if (place.use === "reading") this.#giveBack(place);
    }
  }

  /** The rest of the list, in pieces as they are asked for. */
  #stream(
    place: Place,
    { bytes, pieces, decode }: {
      readonly bytes: Uint8Array;
      readonly pieces: Pieces;
      readonly decode: (bytes: Uint8Array) => string;
    },
  ): ReadableStream<string> {
    let isHeld = true;
    const release = (): void => {
      if (isHeld) this.#giveBack(place);
      isHeld = false;
    };
    return new ReadableStream({
      start: (controller) => controller.enqueue(decode(bytes)),
      pull: async (controller) => {
        try {
          const { done, value } = await pieces.next();
          if (!done) return controller.enqueue(decode(value));
          release();
          controller.close();
        } catch (cause) {
          release();
          controller.error(this.#unreadable(cause));
        }
      },
      cancel: async () => {
        await pieces.return(undefined);
        release();
      },
    });
  }

  /**
   * A cursor for entry `from`: the foremost that still has it, or else the
   * hindmost idle one, to go back for it. So those who keep up keep theirs.
   */
  async #take(from: number): Promise<Place> {
    for (;;) {
      const places = this.#places.filter(({ use }) => use !== "streaming")
        .toSorted((a, b) => b.cursor.entry - a.cursor.entry);
      const place = places.find(({ cursor }) => cursor.firstEntry <= from) ??
        places.findLast(({ use }) => use === "idle");
      if (place?.use === "idle") {
        place.use = "reading";
        return place;
      }
      await this.#change.promise;
    }
  }

  #giveBack(place: Place): void {
    place.use = "idle";
    this.#announce();
  }

  #announce(): void {
    const { resolve } = this.#change;
    this.#change = Promise.withResolvers();
    resolve();
  }

  /** One odd file name must not cost the whole list, so it is replaced. */
  #decoder(from: number): (bytes: Uint8Array) => string {
    const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
    let isTold = false;
    return (bytes) => {
      try {
        return strict.decode(bytes);
      } catch {
        if (!isTold) this.#onInvalidUtf8(from);
        isTold = true;
        return lenient.decode(bytes);
      }
    };
  }

  #unreadable(cause: unknown): Error {
    return new Error(
      `Cannot read the IMA measurement list ${JSON.stringify(this.#log.path)}`,
      { cause },
    );
  }
}

/** The first of `pieces` up to the length of a string, and if that is all. */
async function beginning(
  pieces: Pieces,
): Promise<{ readonly bytes: Uint8Array; readonly isEnd: boolean }> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  while (length < MAX_STRING_BYTES) {
    const { done, value } = await pieces.next();
    if (done) return { bytes: Buffer.concat(parts), isEnd: true };
    parts.push(value);
    length += value.length;
  }
  return { bytes: Buffer.concat(parts), isEnd: false };
}
