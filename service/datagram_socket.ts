/**
 * Unix datagrams that never wait. Deno's own (`Deno.listenDatagram`, 2.9.6)
 * keep the CPU busy while the receiver's queue is full, cannot be given up,
 * and then keep the process from ending.
 *
 * @module
 */

import { openLibc } from "./libc.ts";

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  sendto: {
    parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"],
    result: "isize",
  },
  close: { parameters: ["i32"], result: "i32" },
} as const;

/** Values of 64-bit Linux on x86, ARM and RISC-V. */
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2_000_000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/** Room for a path in struct sockaddr_un. */
const PATH_MAX = 108;

/**
 * The struct sockaddr_un of `address`: an absolute path, or `@` and a name in
 * the abstract namespace.
 *
 * @throws RangeError for anything else, and for what is too long
 */
export function unixAddress(address: string): Uint8Array<ArrayBuffer> {
  const path = new TextEncoder().encode(address);
  const isAbstract = address.startsWith("@");
  if (!isAbstract && !address.startsWith("/") || path.length < 2) {
    throw new RangeError('It is neither an absolute path nor "@" and a name');
  }
  if (path.length >= PATH_MAX) {
    throw new RangeError(`It has ${path.length} bytes, more than a socket can`);
  }
  if (isAbstract) path[0] = 0;
  // The name ends with the address; only a path may have a NUL behind it.
  return Uint8Array.of(AF_UNIX, 0, ...path, ...isAbstract ? [] : [0]);
}

/** Sends datagrams to one address. */
export class DatagramSocket implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #address: Uint8Array<ArrayBuffer>;
  readonly #descriptor: number;

  /**
   * A socket that sends to `address`, a path or `@name`; whether anybody is
   * there is not asked.
   *
   * @throws RangeError if there can be no such address, Error if the process
   * can have no socket
   */
  constructor(address: string) {
    this.#address = unixAddress(address);
    this.#library = openLibc(SYMBOLS);
    this.#descriptor = this.#library.symbols.socket(
      AF_UNIX,
      SOCK_DGRAM | SOCK_CLOEXEC,
      0,
    );
    if (this.#descriptor >= 0) return;
    this.#library.close();
    throw new Error("No Unix socket can be opened");
  }

  /** Sends `datagram` now or not at all, and returns whether it did. */
  send(datagram: Uint8Array<ArrayBuffer>): boolean {
    const sent = this.#library.symbols.sendto(
      this.#descriptor,
      datagram,
      BigInt(datagram.length),
      MSG_DONTWAIT | MSG_NOSIGNAL,
      this.#address,
      this.#address.length,
    );
    return sent >= 0n;
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.#library.symbols.close(this.#descriptor);
    this.#library.close();
  }
}
