/**
 * Running commands in the virtual machine, through a virtio-serial port, with
 * `guest/vm-control` at its other end.
 *
 * @module
 */

import type { CommandOutput } from "../lab/command.ts";
import { waitFor, within } from "../lab/wait.ts";

/** How long a command may take, under emulation, unless told. */
const PATIENCE_MS = 120_000;

/** A machine that has come so far as to run commands. */
export class Guest implements AsyncDisposable {
  readonly #conn: Deno.UnixConn;
  readonly #answers = new Map<string, PromiseWithResolvers<CommandOutput>>();
  readonly #hello = Promise.withResolvers<void>();
  readonly #reading: Promise<void>;
  #requests = 0;

  private constructor(conn: Deno.UnixConn) {
    this.#conn = conn;
    this.#reading = this.#read();
  }

  /** Connects to the port whose other end is the Unix socket `path`. */
  static async connect(path: string): Promise<Guest> {
    const conn = await waitFor("the control port", async () => {
      try {
        return await Deno.connect({ transport: "unix", path });
      } catch {
        return undefined; // QEMU has not made it yet
      }
    });
    return new Guest(conn);
  }

  /** Resolves when the machine is ready for commands. */
  get ready(): Promise<void> {
    return this.#hello.promise;
  }

  /** Runs `argv` as root, and resolves when it has ended, however it did. */
  async run(
    argv: readonly string[],
    timeoutMs = PATIENCE_MS,
  ): Promise<CommandOutput> {
    const answer = Promise.withResolvers<CommandOutput>();
    this.#answers.set(await this.order(argv), answer);
    try {
      return await within(timeoutMs, answer.promise);
    } catch (error) {
      throw new Error(`No answer to "${argv.join(" ")}"`, { cause: error });
    }
  }

  /** Has `argv` run as root, without waiting; resolves with the request's id. */
  async order(argv: readonly string[]): Promise<string> {
    const id = String(++this.#requests);
    const script = encode(argv.map(quote).join(" "));
    const bytes = new TextEncoder().encode(`${id} ${script}\n`);
    for (let rest = bytes; rest.length > 0;) {
      rest = rest.subarray(await this.#conn.write(rest));
    }
    return id;
  }

  /**
   * As {@linkcode Guest.run}, for a command that must succeed; resolves with
   * its standard output without the last newline.
   */
  async ok(argv: readonly string[], timeoutMs?: number): Promise<string> {
    const { code, stdout, stderr } = await this.run(argv, timeoutMs);
    if (code !== 0) {
      throw new Error(
        `"${argv.join(" ")}" ended with ${code}:\n${stdout}${stderr}`,
      );
    }
    return stdout.replace(/\n$/, "");
  }

  /** As {@linkcode Guest.ok}, for a line of shell. */
  async shell(line: string, timeoutMs?: number): Promise<string> {
    return await this.ok(["sh", "-c", line], timeoutMs);
  }

  /** Writes a file, which belongs to root and is readable for all. */
  async write(path: string, text: string): Promise<void> {
    await this.shell(`echo ${encode(text)} | base64 -d >${quote(path)}`);
  }

  /** The bytes of a file. */
  async read(path: string): Promise<Uint8Array<ArrayBuffer>> {
    return Uint8Array.fromBase64(await this.ok(["base64", "-w", "0", path]));
  }

  async #read(): Promise<void> {
    let buffered = "";
    const text = this.#conn.readable.pipeThrough(new TextDecoderStream());
    try {
      for await (const chunk of text) {
        const lines = (buffered + chunk).split("\n");
        buffered = lines.pop() ?? "";
        lines.forEach((line) => this.#take(line));
      }
    } catch {
      // Closed, by either end.
    }
    const error = new Error("The machine is off");
    for (const { reject } of this.#answers.values()) reject(error);
    this.#answers.clear();
  }

  #take(line: string): void {
    if (line === "hello") this.#hello.resolve();
    const [id = "", code, stdout = "", stderr = ""] = line.split(" ");
    this.#answers.get(id)?.resolve({
      code: Number(code),
      stdout: decode(stdout),
      stderr: decode(stderr),
    });
    this.#answers.delete(id);
  }

  /** Hangs up. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#conn.close();
    } catch {
      // The reader was told of the end, and closed it.
    }
    await this.#reading;
  }
}

function quote(argument: string): string {
  return `'${argument.replaceAll("'", `'\\''`)}'`;
}

function encode(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

function decode(text: string): string {
  return new TextDecoder().decode(Uint8Array.fromBase64(text));
}
