/**
 * Drains what a program writes, into lines and within bounds.
 *
 * @module
 */

/** Which of its two outputs a program wrote to. */
export type OutputStream = "stdout" | "stderr";

/** Longest line that is passed on whole, in bytes. */
const LINE_MAX = 8_192;

/** Most lines that are passed on. */
const LINES_MAX = 10_000;

/** Most bytes that are passed on. */
const BYTES_MAX = 1_048_576;

/** How long an output may stay open after its program has ended. */
const CLOSE_MS = 1_000;

/** Bytes taken at once; what a Linux pipe holds. */
const READ_SIZE = 65_536;

const NEWLINE = 10;

/** The output of one program, read from the start to whatever end. */
export class ProgramOutput {
  readonly #onLine: (line: string, stream: OutputStream) => void;
  readonly #readers: readonly ReadableStreamBYOBReader[];
  readonly #done: Promise<unknown>;
  #lines = 0;
  #bytes = 0;
  #isFull = false;

  /** Begins to read. Lines over 8 KiB are cut; after 1 MiB in all, none come. */
  constructor(
    child: Deno.ChildProcess,
    onLine: (line: string, stream: OutputStream) => void,
  ) {
    this.#onLine = onLine;
    const [stdout, stderr] = [child.stdout, child.stderr]
      .map((stream) => stream.getReader({ mode: "byob" }));
    this.#readers = [stdout, stderr].filter((reader) => reader !== undefined);
    this.#done = Promise.all([
      stdout && this.#drain(stdout, "stdout"),
      stderr && this.#drain(stderr, "stderr"),
    ]);
  }

  /**
   * Resolves when both outputs have been read to their end, or a second has
   * passed: a process in another session may hold them open for good.
   */
  async finish(): Promise<void> {
    const giveUp = (): void => {
      for (const reader of this.#readers) reader.cancel().catch(() => {});
    };
    const timer = setTimeout(giveUp, CLOSE_MS);
    await this.#done;
    clearTimeout(timer);
  }

  async #drain(
    reader: ReadableStreamBYOBReader,
    stream: OutputStream,
  ): Promise<void> {
    const line = new LineBuffer((text) => this.#pass(text, stream));
    // One buffer goes round, or a chatty program fills the heap with garbage.
    let buffer = new Uint8Array(READ_SIZE);
    try {
      for (;;) {
        const { value, done } = await reader.read(buffer);
        if (done) break;
        if (!this.#isFull) line.add(value);
        buffer = new Uint8Array(value.buffer);
      }
    } catch {
      // A pipe that breaks has nothing more to say.
    }
    if (!this.#isFull) line.end();
  }

  #pass(text: string, stream: OutputStream): void {
    if (this.#isFull) return;
    this.#lines += 1;
    this.#bytes += text.length;
    this.#onLine(text, stream);
    if (this.#lines < LINES_MAX && this.#bytes < BYTES_MAX) return;
    this.#isFull = true;
    this.#onLine("[further output dropped]", stream);
  }
}

/** Cuts bytes into lines. */
class LineBuffer {
  readonly #onLine: (line: string) => void;
  readonly #buffer = new Uint8Array(LINE_MAX);
  readonly #decoder = new TextDecoder();
  #length = 0;
  #isCut = false;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  add(chunk: Uint8Array): void {
    let rest = chunk;
    for (;;) {
      const end = rest.indexOf(NEWLINE);
      this.#keep(end < 0 ? rest : rest.subarray(0, end));
      if (end < 0) return;
      this.#flush();
      rest = rest.subarray(end + 1);
    }
  }

  /** Passes on what no newline followed. */
  end(): void {
    if (this.#length > 0) this.#flush();
  }

  #keep(bytes: Uint8Array): void {
    const room = LINE_MAX - this.#length;
    if (bytes.length > room) this.#isCut = true;
    const kept = bytes.subarray(0, room);
    this.#buffer.set(kept, this.#length);
    this.#length += kept.length;
  }

  #flush(): void {
    const text = this.#decoder.decode(this.#buffer.subarray(0, this.#length));
    this.#onLine(this.#isCut ? `${text}…` : text);
    this.#length = 0;
    this.#isCut = false;
  }
}
