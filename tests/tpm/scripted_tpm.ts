/**
 * A TPM that answers as a test tells it, for what a real one does too rarely.
 *
 * @module
 */

import type { Transport } from "../../tpm/transport/transport.ts";

/** A response without parameters. */
export function refusal(responseCode: number): Uint8Array {
  const code = responseCode.toString(16).padStart(8, "0");
  return Uint8Array.fromHex(`80010000000a${code}`);
}

/** The response of TPM2_GetRandom with these bytes. */
export function randomBytesResponse(bytes: Uint8Array): Uint8Array {
  const response = new Uint8Array(12 + bytes.length);
  const view = new DataView(response.buffer);
  view.setUint16(0, 0x8001);
  view.setUint32(2, response.length);
  view.setUint16(10, bytes.length);
  response.set(bytes, 12);
  return response;
}

/** A {@linkcode Transport} with a view of what went through it. */
export interface ScriptedTpm extends Transport {
  /** Every command that came. */
  readonly commands: readonly Uint8Array[];
  /** How often it was disposed of. */
  readonly timesClosed: number;
}

/**
 * A TPM that answers with `answer`, which gets each command with its number
 * counted from 0. It takes one command at a time: another one meanwhile fails.
 */
export function scriptedTpm(
  answer: (
    command: Uint8Array,
    index: number,
  ) => Uint8Array | Promise<Uint8Array>,
): ScriptedTpm {
  const commands: Uint8Array[] = [];
  let isBusy = false;
  let timesClosed = 0;
  return {
    target: "a scripted TPM",
    hasResourceManager: false,
    commands,
    get timesClosed(): number {
      return timesClosed;
    },
    async transmit(command): Promise<Uint8Array> {
      if (isBusy) throw new Error("Two commands at once");
      isBusy = true;
      commands.push(command);
      await new Promise((resolve) => setTimeout(resolve, 0));
      try {
        return await answer(command, commands.length - 1);
      } finally {
        isBusy = false;
      }
    },
    [Symbol.asyncDispose](): Promise<void> {
      timesClosed++;
      return Promise.resolve();
    },
  };
}
