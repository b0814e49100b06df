/**
 * The measured-boot log, as the verifier wants it.
 *
 * @module
 */

import { LogFile } from "./log_file.ts";

/** Firmware reserves far less; more than this is not a boot log. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * The binary boot event log (`binary_bios_measurements`). It cannot change
 * before the next boot, so it is read and encoded once (contract sections 7.2
 * and 13, item 40).
 */
export class BootLog implements Disposable {
  #log: LogFile;
  #problem: Error | undefined;
  #reading: Promise<string | undefined> | undefined;

  private constructor(log: LogFile) {
    this.#log = log;
  }

  /** Opens the log at `path`; never throws, see {@linkcode BootLog.problem}. */
  static async open(path: string): Promise<BootLog> {
    return new BootLog(await LogFile.open(path));
  }

  /**
   * Why there was no log to be had when the agent last looked: it could not be
   * opened or read, or it is over 16 MiB. Undefined when all is well.
   */
  get problem(): Error | undefined {
    return this.#problem ?? this.#log.problem;
  }

  /**
   * The whole log in base64, or undefined when there is none; then
   * {@linkcode BootLog.problem} says why, and the next call tries again.
   */
  async read(): Promise<string | undefined> {
    this.#reading ??= this.#read();
    const text = await this.#reading;
    if (text === undefined) this.#reading = undefined;
    return text;
  }

  async #read(): Promise<string | undefined> {
    const file = await this.#log.file();
    if (file === undefined) return undefined;
    try {
      const bytes = await readWhole(file);
      this.#problem = undefined;
      this.#log[Symbol.dispose]();
      return bytes.toBase64();
    } catch (cause) {
      this.#problem = new Error(
        `Cannot read the measured-boot log ${JSON.stringify(this.#log.path)}`,
        { cause },
      );
      return undefined;
    }
  }

  /** Closes the log. */
  [Symbol.dispose](): void {
    this.#log[Symbol.dispose]();
  }
}

/** All bytes of `file`; its size says nothing, since securityfs reports 0. */
async function readWhole(file: Deno.FsFile): Promise<Uint8Array<ArrayBuffer>> {
  await file.seek(0, Deno.SeekMode.Start);
  let bytes = new Uint8Array(64 * 1024);
  let length = 0;
  for (;;) {
    const count = await file.read(bytes.subarray(length));
    if (count === null) return bytes.slice(0, length);
    length += count;
    if (length > MAX_BYTES) {
      throw new RangeError(
        `The log is larger than ${MAX_BYTES} bytes, so it is no boot log`,
      );
    }
    if (length === bytes.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(bytes);
      bytes = larger;
    }
  }
}
