/**
 * The floor: the shortest program that sends a quote's TPM commands. Its
 * frames are made beforehand; it writes, reads, and looks at nothing.
 *
 * @module
 */

import { connectTpm, type TpmAddress } from "../lab/tpm_address.ts";
import type { TpmMux } from "../lab/tpm_mux.ts";

/** One connection to a TPM, and the commands of a quote. */
export class Floor implements Disposable {
  readonly #conn: Deno.Conn;
  readonly #frames: readonly Uint8Array[];
  readonly #response = new Uint8Array(4096);

  private constructor(conn: Deno.Conn, frames: readonly Uint8Array[]) {
    this.#conn = conn;
    this.#frames = frames;
  }

  /** Connects to the TPM at `address`, to send `frames` for each quote. */
  static async connect(
    address: TpmAddress,
    frames: readonly Uint8Array[],
  ): Promise<Floor> {
    return new Floor(await connectTpm(address), frames);
  }

  /** One quote. */
  async quote(): Promise<void> {
    for (const frame of this.#frames) {
      await this.#conn.write(frame);
      await this.#conn.read(this.#response);
    }
  }

  /**
   * One quote, with a look at its answer.
   *
   * @throws Error if the TPM refuses it
   */
  async checkedQuote(): Promise<void> {
    await this.quote();
    const code = new DataView(this.#response.buffer).getUint32(6);
    if (code !== 0) throw new Error(`The floor's quote failed with ${code}`);
  }

  /** Hangs up. */
  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

/** The commands that reach the TPM while `work` goes on. */
export async function framesDuring(
  mux: TpmMux,
  work: () => Promise<unknown>,
): Promise<readonly Uint8Array[]> {
  const frames: Uint8Array[] = [];
  mux.record = ({ command }) => frames.push(command.slice());
  try {
    await work();
  } finally {
    mux.record = undefined;
  }
  return frames;
}
