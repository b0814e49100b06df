/**
 * Where a TPM simulator takes commands, and raw TPM frames on its sockets: a
 * command or response as it is, without any envelope.
 *
 * @module
 */

/** A socket that speaks raw TPM commands and responses. */
export type TpmAddress =
  | { readonly transport: "unix"; readonly path: string }
  | {
    readonly transport: "tcp";
    readonly hostname: string;
    readonly port: number;
  };

/** Largest command or response that the lab's TPMs know. */
const LARGEST_FRAME = 4096;

/** Tag, size and code, which begin every command and response. */
const HEADER = 10;

/** The address as a TCTI string of tpm2-tss, for tpm2-tools and agents. */
export function tctiOf(address: TpmAddress): string {
  return address.transport === "unix"
    ? `swtpm:path=${address.path}`
    : `swtpm:host=${address.hostname},port=${address.port}`;
}

/**
 * Connects to the TPM at `address`. swtpm's queue holds but two; while it is
 * full a Unix socket turns clients away, who have to come again.
 */
export async function connectTpm(address: TpmAddress): Promise<Deno.Conn> {
  for (let attempt = 1;; attempt++) {
    try {
      return address.transport === "unix"
        ? await Deno.connect({ transport: "unix", path: address.path })
        : await Deno.connect(address);
    } catch (error) {
      const isFull = error instanceof Deno.errors.WouldBlock;
      if (!isFull || attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/**
 * The next whole command or response on `conn`, or undefined when it has
 * ended before one began.
 *
 * @throws Error when it ends inside one, or its size field is impossible
 */
export async function readFrame(
  conn: Deno.Conn,
): Promise<Uint8Array | undefined> {
  const header = await readExactly(conn, HEADER);
  if (header === undefined) return undefined;
  const size = new DataView(header.buffer).getUint32(2);
  if (size < HEADER || size > LARGEST_FRAME) {
    throw new Error(`A TPM frame of ${size} bytes is impossible`);
  }
  const frame = new Uint8Array(size);
  frame.set(header);
  if (size > HEADER) {
    const body = await readExactly(conn, size - HEADER);
    if (body === undefined) throw new Error("The connection ended in a frame");
    frame.set(body, HEADER);
  }
  return frame;
}

/** The next `count` bytes, or undefined when there is not one more. */
export async function readExactly(
  conn: Deno.Conn,
  count: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const got = await conn.read(bytes.subarray(at));
    if (got === null) {
      if (at === 0) return undefined;
      throw new Error("The connection ended in a frame");
    }
    at += got;
  }
  return bytes;
}

/** Writes all of `bytes`. */
export async function writeAll(
  conn: Deno.Conn,
  bytes: Uint8Array,
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await conn.write(bytes.subarray(at));
  }
}
