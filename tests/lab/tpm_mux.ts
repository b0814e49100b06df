/**
 * One TPM for many clients. swtpm serves one connection at a time; the
 * multiplexer keeps that one, accepts any number itself, and passes whole
 * commands on, one after the other. It is no resource manager: all clients
 * share the TPM's few transient slots, so each has to flush what it loads.
 *
 * It also counts and records commands, and can answer in the TPM's stead.
 *
 * @module
 */

import { listenOnNeighbours } from "./ports.ts";
import {
  connectTpm,
  readExactly,
  readFrame,
  tctiOf,
  type TpmAddress,
  writeAll,
} from "./tpm_address.ts";

/** One command and what was answered. */
export interface Exchange {
  /** All of it, header included. */
  readonly command: Uint8Array;
  /** All of it, header included. */
  readonly response: Uint8Array;
}

/**
 * Sees each command before the TPM does. What it returns is the answer, and
 * the TPM is not asked; undefined lets the command through. When it throws,
 * the client is disconnected, as by a TPM that is gone.
 */
export type Intercept = (
  command: Uint8Array,
) => Uint8Array | undefined | Promise<Uint8Array | undefined>;

/** How a multiplexer is set up. */
export interface TpmMuxOptions {
  /** Path of a Unix socket it listens on besides its TCP port. */
  readonly path?: string;
}

/** Request and success on the control socket that tpm2-tss insists on. */
const SET_LOCALITY = 5;
const DONE = new Uint8Array(4);

/** A TPM that several clients use at the same time. */
export class TpmMux implements AsyncDisposable {
  /** Where it listens on loopback. */
  readonly address: TpmAddress & { readonly transport: "tcp" };
  /** Path of its Unix socket, if it was given one. */
  readonly path: string | undefined;
  /** Answers commands in the TPM's stead, while it is set. */
  intercept: Intercept | undefined;
  /** Is handed every exchange, while it is set. */
  record: ((exchange: Exchange) => void) | undefined;
  #tpm: TpmAddress;
  #upstream: Deno.Conn | undefined;
  #isClosed = false;
  #turn: Promise<unknown> = Promise.resolve();
  #counts = new Map<number, number>();
  readonly #listeners: Deno.Listener[] = [];
  readonly #clients = new Set<Deno.Conn>();
  readonly #serving: Promise<void>[] = [];

  private constructor(
    tpm: TpmAddress,
    address: TpmAddress & { readonly transport: "tcp" },
    path: string | undefined,
  ) {
    this.#tpm = tpm;
    this.address = address;
    this.path = path;
  }

  /** Starts to listen for clients of the TPM at `tpm`. */
  static listen(tpm: TpmAddress, options: TpmMuxOptions = {}): TpmMux {
    const { path } = options;
    const [commands, control] = listenOnNeighbours(2) as [
      Deno.TcpListener,
      Deno.TcpListener,
    ];
    const { hostname, port } = commands.addr;
    const mux = new TpmMux(tpm, { transport: "tcp", hostname, port }, path);
    mux.#serve(commands, (c) => mux.#commands(c));
    mux.#serve(control, answerControl);
    if (path !== undefined) {
      const transport = "unix";
      mux.#serve(Deno.listen({ transport, path }), (c) => mux.#commands(c));
      mux.#serve(
        Deno.listen({ transport, path: `${path}.ctrl` }),
        answerControl,
      );
    }
    return mux;
  }

  /** Its address as a TCTI string of tpm2-tss, for tpm2-tools and agents. */
  get tcti(): string {
    return tctiOf(this.address);
  }

  /** How often each command code was seen since {@linkcode TpmMux.reset}. */
  get counts(): ReadonlyMap<number, number> {
    return this.#counts;
  }

  /** Starts to count afresh. */
  reset(): void {
    this.#counts = new Map();
  }

  /**
   * Runs `swap` while no command is under way and nobody is connected to the
   * TPM, then goes on with the TPM it names. Clients stay connected, and those
   * with a command wait.
   */
  replace(swap: () => Promise<TpmAddress>): Promise<void> {
    return this.#inTurn(async () => {
      this.#disconnect();
      this.#tpm = await swap();
    });
  }

  /**
   * Sends one whole command, as any client's, and resolves with the response.
   *
   * @throws Error when the TPM is off or hangs up
   */
  transmit(command: Uint8Array): Promise<Uint8Array> {
    return this.#inTurn(() => this.#exchange(command));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  async #exchange(command: Uint8Array): Promise<Uint8Array> {
    if (this.#isClosed) throw new Error("The multiplexer is closed");
    const code = new DataView(command.buffer, command.byteOffset).getUint32(6);
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
    const response = await this.intercept?.(command) ??
      await this.#ask(command);
    this.record?.({ command, response });
    return response;
  }

  async #ask(command: Uint8Array): Promise<Uint8Array> {
    try {
      this.#upstream ??= await connectTpm(this.#tpm);
      await writeAll(this.#upstream, command);
      const response = await readFrame(this.#upstream);
      if (response === undefined) throw new Error("The TPM hung up");
      return response;
    } catch (error) {
      this.#disconnect();
      throw error;
    }
  }

  #disconnect(): void {
    this.#upstream?.close();
    this.#upstream = undefined;
  }

  #serve(
    listener: Deno.Listener,
    client: (conn: Deno.Conn) => Promise<void>,
  ): void {
    this.#listeners.push(listener);
    this.#serving.push(this.#accept(listener, client));
  }

  async #accept(
    listener: Deno.Listener,
    client: (conn: Deno.Conn) => Promise<void>,
  ): Promise<void> {
    const clients: Promise<void>[] = [];
    for await (const conn of listener) {
      this.#clients.add(conn);
      clients.push(
        client(conn).catch(() => {}).finally(() => {
          // What became of a client is its own affair; the TPM goes on.
          if (this.#clients.delete(conn)) conn.close();
        }),
      );
    }
    await Promise.all(clients);
  }

  async #commands(conn: Deno.Conn): Promise<void> {
    while (true) {
      const command = await readFrame(conn);
      if (command === undefined) return;
      await writeAll(conn, await this.transmit(command));
    }
  }

  /** Hangs up on all clients and on the TPM. Harmless a second time. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const listener of this.#listeners) listener.close();
    for (const conn of this.#clients) conn.close();
    this.#clients.clear();
    this.#disconnect();
    await Promise.all(this.#serving);
  }
}

async function answerControl(conn: Deno.Conn): Promise<void> {
  const request = await readExactly(conn, 5);
  if (request === undefined) return;
  if (new DataView(request.buffer).getUint32(0) !== SET_LOCALITY) return;
  await writeAll(conn, DONE);
}
