/**
 * A service manager's end of sd_notify(3): a Unix datagram socket that keeps
 * what comes until a test looks.
 *
 * @module
 */

import { unixAddress } from "../../../service/datagram_socket.ts";
import { openLibc } from "../../../service/libc.ts";
import { waitFor } from "../../lab/wait.ts";

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
} as const;

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
/** Else a program that another test starts would hold the socket open. */
const SOCK_CLOEXEC = 0o2_000_000;
const MSG_DONTWAIT = 0x40;

/** Who starts services and hears from them. */
export class ServiceManager implements Disposable {
  /** What it sets `NOTIFY_SOCKET` to. */
  readonly address: string;
  /** All datagrams that were taken off the queue, oldest first. */
  readonly notices: string[] = [];
  readonly #libc = openLibc(SYMBOLS);
  readonly #descriptor: number;

  /** One that listens at `address`. */
  constructor(address = `@deno-keylime-test-${crypto.randomUUID()}`) {
    this.address = address;
    const { socket, bind } = this.#libc.symbols;
    this.#descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const name = unixAddress(address);
    if (bind(this.#descriptor, name, name.length) !== 0) {
      throw new Error(`Cannot bind ${address}`);
    }
  }

  /** Takes all there is off the queue, and returns it. */
  take(): string[] {
    const taken: string[] = [];
    const bytes = new Uint8Array(4096);
    while (true) {
      const size = this.#libc.symbols.recv(
        this.#descriptor,
        bytes,
        BigInt(bytes.length),
        MSG_DONTWAIT,
      );
      if (size < 0n) break;
      taken.push(new TextDecoder().decode(bytes.subarray(0, Number(size))));
    }
    this.notices.push(...taken);
    return taken;
  }

  /** Values of `field` in all that has come, oldest first. */
  values(field: string): string[] {
    this.take();
    return this.notices.flatMap((notice) => notice.split("\n")).flatMap(
      (line) =>
        line.startsWith(`${field}=`) ? [line.slice(field.length + 1)] : [],
    );
  }

  /** Resolves with the first value of `field` that is like `want`. */
  async hears(field: string, want: RegExp): Promise<string> {
    return await waitFor(
      `${field}=${want}`,
      () => this.values(field).find((value) => want.test(value)),
      { everyMs: 10 },
    ).catch((error) => {
      const heard = this.notices.join("\n");
      throw new Error(`Only this was heard:\n${heard}`, { cause: error });
    });
  }

  /** Closes the socket; a path stays, with nobody there. */
  [Symbol.dispose](): void {
    this.#libc.symbols.close(this.#descriptor);
    this.#libc.close();
  }
}
