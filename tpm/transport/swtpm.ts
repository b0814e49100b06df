import { HEADER_SIZE, MAX_FRAME_SIZE } from "../commands/frame.ts";
import { type Transport, TransportError } from "./transport.ts";

/** Where a swtpm listens for raw TPM frames. */
export type SwtpmAddress =
  | {
    readonly transport: "tcp";
    readonly hostname: string;
    readonly port: number;
  }
  | { readonly transport: "unix"; readonly path: string };

async function readFrame(stream: Deno.Conn): Promise<Uint8Array> {
  const buffer = new Uint8Array(MAX_FRAME_SIZE);
  let size = HEADER_SIZE;
  for (let length = 0; length < size;) {
    const count = await stream.read(buffer.subarray(length));
    if (count === null) {
      throw new TransportError(
        `the connection ended after ${length} of ${size} bytes`,
      );
    }
    length += count;
    if (length >= HEADER_SIZE) size = sizeIn(buffer, length);
  }
  return buffer.subarray(0, size);
}

/** The size of the response that begins with the first `length` of `bytes`. */
function sizeIn(bytes: Uint8Array<ArrayBuffer>, length: number): number {
  const size = new DataView(bytes.buffer).getUint32(2);
  if (size < HEADER_SIZE || size > MAX_FRAME_SIZE) {
    throw new TransportError(
      `a response of ${size} bytes is not in ${HEADER_SIZE}..${MAX_FRAME_SIZE}`,
    );
  }
  if (length > size) {
    throw new TransportError(
      `${length} bytes came for a response of ${size} bytes`,
    );
  }
  return size;
}

async function writeAll(stream: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await stream.write(bytes.subarray(at));
  }
}

/**
 * Connects to the data channel of a swtpm, which carries bare TPM frames (the
 * Microsoft simulator's channel has a protocol of its own around them).
 */
export async function connectSwtpm(address: SwtpmAddress): Promise<Transport> {
  const target = address.transport === "tcp"
    ? `swtpm at ${address.hostname}:${address.port}`
    : `swtpm at ${address.path}`;
  let stream: Deno.Conn;
  try {
    stream = address.transport === "tcp"
      ? await Deno.connect(address)
      : await Deno.connect(address);
  } catch (error) {
    throw new TransportError(`${target} cannot be reached; is it running?`, {
      cause: error,
    });
  }
  return {
    target,
    hasResourceManager: false,
    async transmit(command): Promise<Uint8Array> {
      try {
        await writeAll(stream, command);
        return await readFrame(stream);
      } catch (error) {
        throw new TransportError(`${target} failed`, { cause: error });
      }
    },
    [Symbol.asyncDispose](): Promise<void> {
      stream.close();
      return Promise.resolve();
    },
  };
}
