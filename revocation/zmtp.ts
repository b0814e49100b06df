/**
 * The subscriber's half of ZeroMQ's wire protocol, ZMTP 3.0 with the NULL
 * mechanism (rfc.zeromq.org/spec/23), as far as receiving from a publisher
 * needs it.
 *
 * The npm package `zeromq` is not used: under Deno 2.9.6 its subscriber hears
 * nothing after the publisher's restart, and libzmq gives a publisher up for
 * good, without a word, after one message over the size limit. All bytes here
 * are untrusted.
 *
 * @module
 */

/** What two programs that speak ZMTP cannot agree on. */
export class ZmtpError extends Error {
  /** Tells this class from others in a log. */
  override readonly name = "ZmtpError";
}

/** Bounds of a subscription. */
export interface ZmtpOptions {
  /** Largest message in bytes; a larger one ends the connection. */
  readonly messageLimit: number;
  /** Milliseconds that the publisher may take over the handshake. */
  readonly handshakeLimitMs: number;
}

/** Bits of a frame's first byte. */
const MORE = 1;
const LONG = 2;
const COMMAND = 4;

const GREETING_SIZE = 64;

/** Signature, version 3.0, mechanism NULL, not a server, filler. */
const GREETING = new Uint8Array(GREETING_SIZE);
GREETING.set([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0]);
GREETING.set(ascii("NULL"), 12);

const READY = command("READY", [
  ...shortText("Socket-Type"),
  ...[0, 0, 0, 3, ...ascii("SUB")],
]);

/** A message of one byte: subscribe, to all that begins with nothing. */
const SUBSCRIBE = Uint8Array.of(0, 1, 1);

/** One frame, its length taken off. */
interface Frame {
  readonly flags: number;
  readonly body: Uint8Array;
}

/** A connection that is subscribed to all messages of its publisher. */
export class ZmtpSubscription {
  readonly #connection: Deno.Conn;
  readonly #limit: number;
  #buffer: Uint8Array = new Uint8Array();

  private constructor(connection: Deno.Conn, limit: number) {
    this.#connection = connection;
    this.#limit = limit;
  }

  /**
   * Subscribes over `connection`, which stays the caller's to close.
   *
   * @throws {ZmtpError} when the peer is no publisher that speaks ZMTP 3, or
   * takes too long
   */
  static async begin(
    connection: Deno.Conn,
    { messageLimit, handshakeLimitMs }: ZmtpOptions,
  ): Promise<ZmtpSubscription> {
    const subscription = new ZmtpSubscription(connection, messageLimit);
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new ZmtpError("The peer took too long over the handshake")),
      handshakeLimitMs,
    );
    const handshake = subscription.#shakeHands();
    // When time is up, closing the connection makes it fail unheard.
    handshake.catch(() => {});
    try {
      await Promise.race([handshake, late]);
    } finally {
      clearTimeout(timer);
    }
    return subscription;
  }

  /**
   * Waits for the next message; undefined stands for one of several frames.
   *
   * @throws {ZmtpError} when the publisher leaves or breaks the protocol
   */
  async next(): Promise<Uint8Array | undefined> {
    let isWhole = true;
    for (;;) {
      const { flags, body } = await this.#frame();
      if ((flags & COMMAND) !== 0) {
        await this.#answerCommand(body);
      } else if ((flags & MORE) !== 0) {
        isWhole = false;
      } else {
        return isWhole ? body : undefined;
      }
    }
  }

  async #shakeHands(): Promise<void> {
    await this.#write(GREETING);
    checkGreeting(await this.#read(GREETING_SIZE));
    await this.#write(READY);
    const { flags, body } = await this.#frame();
    const isReady = (flags & COMMAND) !== 0 && nameOf(body) === "READY";
    if (!isReady) throw new ZmtpError("The peer refused the handshake");
    const type = socketTypeOf(body);
    if (type !== "PUB" && type !== "XPUB") {
      throw new ZmtpError("The peer's socket is no ZeroMQ publisher");
    }
    await this.#write(SUBSCRIBE);
  }

  /** Heartbeats want an answer even from peers that never announced them. */
  async #answerCommand(body: Uint8Array): Promise<void> {
    if (nameOf(body) !== "PING") return;
    const context = body.subarray(1 + "PING".length + 2).subarray(0, 16);
    await this.#write(command("PONG", context));
  }

  async #frame(): Promise<Frame> {
    const [flags = 0] = await this.#read(1);
    if ((flags & ~(MORE | LONG | COMMAND)) !== 0) {
      throw new ZmtpError("The peer sent a frame with unknown flags");
    }
    const isLong = (flags & LONG) !== 0;
    const length = uintOf(await this.#read(isLong ? 8 : 1));
    if (length > this.#limit) {
      throw new ZmtpError(
        `The peer sent a frame of ${length} bytes, expected at most ${this.#limit}`,
      );
    }
    return { flags, body: await this.#read(Number(length)) };
  }

  async #read(size: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(size);
    for (let filled = 0; filled < size;) {
      if (this.#buffer.length === 0) {
        const chunk = new Uint8Array(65_536);
        const count = await this.#connection.read(chunk);
        if (count === null) {
          throw new ZmtpError("The peer closed the connection");
        }
        this.#buffer = chunk.subarray(0, count);
      }
      const part = this.#buffer.subarray(0, size - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.#buffer = this.#buffer.subarray(part.length);
    }
    return bytes;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) {
      rest = rest.subarray(await this.#connection.write(rest));
    }
  }
}

function checkGreeting(greeting: Uint8Array): void {
  const [first = 0, version = 0] = [greeting[0], greeting[10]];
  if (first !== 0xff || ((greeting[9] ?? 0) & 1) !== 1) {
    throw new ZmtpError("The peer does not speak ZeroMQ's protocol");
  }
  if (version < 3) {
    throw new ZmtpError(`The peer speaks ZMTP ${version}, expected 3`);
  }
  const mechanism = latin1(greeting.subarray(12, 32)).replace(/\0+$/, "");
  if (mechanism !== "NULL") {
    throw new ZmtpError("The peer demands authentication, expected NULL");
  }
}

/** The property `Socket-Type` of a READY command, if it is well formed. */
function socketTypeOf(ready: Uint8Array): string | undefined {
  let rest = ready.subarray(1 + "READY".length);
  while (rest.length > 0) {
    const nameEnd = 1 + (rest[0] ?? 0);
    const valueStart = nameEnd + 4;
    if (valueStart > rest.length) return undefined;
    const end = valueStart + Number(uintOf(rest.subarray(nameEnd, valueStart)));
    const name = latin1(rest.subarray(1, nameEnd)).toLowerCase();
    if (name === "socket-type") return latin1(rest.subarray(valueStart, end));
    rest = rest.subarray(end);
  }
  return undefined;
}

function nameOf(body: Uint8Array): string {
  return latin1(body.subarray(1, 1 + (body[0] ?? 0)));
}

/** A command frame whose body has less than 256 bytes. */
function command(name: string, data: Iterable<number>): Uint8Array {
  const body = [...shortText(name), ...data];
  return Uint8Array.of(COMMAND, body.length, ...body);
}

function shortText(text: string): readonly number[] {
  return [text.length, ...ascii(text)];
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** Big-endian. */
function uintOf(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => value << 8n | BigInt(byte), 0n);
}
