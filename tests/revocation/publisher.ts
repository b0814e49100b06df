/**
 * A ZeroMQ publisher as the specification has it (rfc.zeromq.org/spec/23),
 * written byte by byte, so that tests can break every rule.
 *
 * @module
 */

import { waitFor } from "../lab/wait.ts";

/** `values` one after the other; text as ASCII. */
export function bytes(
  ...values: readonly (number | string | Uint8Array)[]
): Uint8Array {
  return Uint8Array.from(values.flatMap((value) => {
    if (typeof value === "number") return [value];
    return [
      ...(typeof value === "string" ? new TextEncoder().encode(value) : value),
    ];
  }));
}

/** A greeting; libzmq announces ZMTP 3.1 and fills the signature with a 1. */
export function greeting(
  { version = 3, mechanism = "NULL" } = {},
): Uint8Array {
  return bytes(
    ...[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, version, 1],
    ...[mechanism.padEnd(20, "\0"), 0, new Uint8Array(31)],
  );
}

/** A READY command of a socket of that type. */
export function ready(type = "PUB"): Uint8Array {
  const body = bytes(
    ...[5, "READY", 8, "Identity", 0, 0, 0, 0],
    ...[11, "Socket-Type", 0, 0, 0, type.length, type],
  );
  return bytes(4, body.length, body);
}

/** A frame with `flags`, of the long form where that is asked for. */
export function frame(
  body: Uint8Array | string,
  flags = 0,
): Uint8Array {
  const content = bytes(body);
  const size = new DataView(new ArrayBuffer(8));
  size.setBigUint64(0, BigInt(content.length));
  const isLong = (flags & 2) !== 0 || content.length > 255;
  return isLong
    ? bytes(flags | 2, new Uint8Array(size.buffer), content)
    : bytes(flags, content.length, content);
}

/** What a well-behaved publisher says before its first message. */
export const HANDSHAKE = bytes(greeting(), ready());

/** Sends the same bytes to each subscriber, and keeps what it gets. */
export class FakePublisher implements AsyncDisposable {
  /** Everything that subscribers sent, one list for each connection. */
  readonly received: number[][] = [];
  readonly #listener: Deno.TcpListener;
  readonly #opening: Uint8Array;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #serving: Promise<void>;

  private constructor(listener: Deno.TcpListener, opening: Uint8Array) {
    this.#listener = listener;
    this.#opening = opening;
    this.#serving = this.#serve();
  }

  /** Listens on loopback; each subscriber gets `opening` at once. */
  static listen(
    { port = 0, opening = HANDSHAKE }: {
      port?: number;
      opening?: Uint8Array;
    } = {},
  ): FakePublisher {
    return new FakePublisher(
      Deno.listen({ hostname: "127.0.0.1", port }),
      opening,
    );
  }

  /** Where it listens. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** Resolves when the newest connection has subscribed to everything. */
  async subscribed(connection = 1): Promise<void> {
    await waitFor("a subscription", () => {
      const sent = this.received[connection - 1] ?? [];
      return sent.slice(-3).join() === "0,1,1";
    }, { everyMs: 2 });
  }

  /** Sends `data` to all that are connected, in pieces if wanted. */
  async send(data: Uint8Array, pieceSize = data.length): Promise<void> {
    for (const connection of this.#connections) {
      for (let at = 0; at < data.length; at += pieceSize) {
        let piece = data.subarray(at, at + pieceSize);
        while (piece.length > 0) {
          piece = piece.subarray(await connection.write(piece));
        }
      }
    }
  }

  async #serve(): Promise<void> {
    const open: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      connection.setNoDelay(true);
      this.#connections.add(connection);
      const sent: number[] = [];
      this.received.push(sent);
      await connection.write(this.#opening);
      open.push(this.#listen(connection, sent));
    }
    await Promise.all(open);
  }

  async #listen(connection: Deno.TcpConn, sent: number[]): Promise<void> {
    try {
      for await (const chunk of connection.readable) sent.push(...chunk);
    } catch {
      // Reset by the subscriber, or closed by us.
    }
    this.#connections.delete(connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) {
      try {
        connection.close();
      } catch {
        // It was closed before.
      }
    }
    await this.#serving;
  }
}
