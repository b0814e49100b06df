/**
 * One server of Keylime's control plane, which a test may take down and bring
 * back with everything it remembers.
 *
 * @module
 */

import { LabProcess, type ProcessOptions } from "./process.ts";

/** What a server is. */
export interface ServiceOptions {
  /** Program and arguments. */
  readonly argv: readonly string[];
  /** How each of its processes is started. */
  readonly process: ProcessOptions;
}

/** A verifier or registrar. */
export class KeylimeService implements AsyncDisposable {
  readonly #options: ServiceOptions;
  #process: LabProcess | undefined;

  /** One that does not run yet. */
  constructor(options: ServiceOptions) {
    this.#options = options;
  }

  /** Starts it; resolves when it answers. Harmless when it runs. */
  async start(): Promise<void> {
    if (this.#process !== undefined) return;
    const { argv, process } = this.#options;
    this.#process = await LabProcess.start(argv, process);
  }

  /** Stops it with all its workers. Harmless when it is down. */
  async stop(): Promise<void> {
    await this.#process?.stop();
    this.#process = undefined;
  }

  /** Stops and starts it. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Process group of it and its workers, or undefined when it is down. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** All it has logged, from its first start on. */
  async log(): Promise<string> {
    return await Deno.readTextFile(this.#options.process.logFile);
  }

  /** As {@linkcode KeylimeService.stop}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
