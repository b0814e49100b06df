import type { Transport } from "./transport.ts";

/** One command and its response, in hexadecimal. */
export interface Exchange {
  /** The command, header included. */
  readonly command: string;
  /** The response, header included. */
  readonly response: string;
}

/** `inner`, with every exchange handed to `record` as well. */
export function recorder(
  inner: Transport,
  record: (exchange: Exchange) => void,
): Transport {
  return {
    target: inner.target,
    hasResourceManager: inner.hasResourceManager,
    async transmit(command): Promise<Uint8Array> {
      const response = await inner.transmit(command);
      record({ command: command.toHex(), response: response.toHex() });
      return response;
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}
