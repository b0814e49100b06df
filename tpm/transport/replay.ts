import type { Exchange } from "./recorder.ts";
import { type Transport, TransportError } from "./transport.ts";

/**
 * Answers as a recording does, to exactly the recorded commands in their
 * order. Disposing of it fails if part of the recording was never asked for.
 */
export function replay(exchanges: readonly Exchange[]): Transport {
  let next = 0;
  return {
    target: "a recording",
    hasResourceManager: true,
    transmit(command): Promise<Uint8Array> {
      const expected = exchanges[next];
      if (expected?.command !== command.toHex()) {
        return Promise.reject(
          new TransportError(
            `Exchange ${next + 1}: sent ${command.toHex()}, recorded ${
              expected?.command ?? "nothing more"
            }`,
          ),
        );
      }
      next++;
      return Promise.resolve(Uint8Array.fromHex(expected.response));
    },
    [Symbol.asyncDispose](): Promise<void> {
      const left = exchanges.length - next;
      return left === 0 ? Promise.resolve() : Promise.reject(
        new TransportError(`${left} recorded exchanges were never asked for`),
      );
    },
  };
}
