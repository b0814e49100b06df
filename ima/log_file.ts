/**
 * One kernel log, opened while the agent may still read it.
 *
 * securityfs logs belong to root, and a descriptor outlives the privilege
 * drop, so it is kept for the life of the process.
 *
 * @module
 */

/** A log file that is there, or may still appear. */
export class LogFile implements Disposable {
  /** Where the log is, as configured. */
  readonly path: string;
  #file: Deno.FsFile | undefined;
  #problem: Error | undefined;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Opens the log at `path`; never throws, since an agent without this log
   * still works: see {@linkcode LogFile.problem}.
   */
  static async open(path: string): Promise<LogFile> {
    const log = new LogFile(path);
    await log.file();
    return log;
  }

  /** Why the log could not be opened, or undefined when it is open. */
  get problem(): Error | undefined {
    return this.#problem;
  }

  /**
   * The open log, or undefined when there is none. A log that was missing is
   * looked for again at each call, because its kernel module may load after
   * the agent (contract section 13, item 42).
   */
  async file(): Promise<Deno.FsFile | undefined> {
    if (this.#file !== undefined) return this.#file;
    try {
      const file = await Deno.open(this.path, { read: true });
      // A caller that asked at the same time may have been faster.
      if (this.#file !== undefined) file.close();
      else this.#file = file;
      this.#problem = undefined;
    } catch (cause) {
      this.#problem = new Error(
        `Cannot open the log ${JSON.stringify(this.path)}`,
        { cause },
      );
    }
    return this.#file;
  }

  /** Closes the descriptor; a later {@linkcode LogFile.file} opens anew. */
  [Symbol.dispose](): void {
    this.#file?.close();
    this.#file = undefined;
  }
}
