import type { Transport } from "./transport.ts";

/**
 * What goes wrong with one command: `response` replaces the TPM's, which never
 * sees the command; `error` is thrown, `delivered` says whether the TPM got the
 * command before.
 */
export type Fault =
  | { readonly kind: "response"; readonly response: Uint8Array }
  | {
    readonly kind: "error";
    readonly error: Error;
    readonly delivered: boolean;
  };

/**
 * `inner`, except where `plan` has a fault for a command.
 *
 * @param plan asked for each command, with its number counted from 0
 */
export function faulty(
  inner: Transport,
  plan: (command: Uint8Array, index: number) => Fault | undefined,
): Transport {
  let index = 0;
  return {
    target: inner.target,
    hasResourceManager: inner.hasResourceManager,
    async transmit(command): Promise<Uint8Array> {
      const fault = plan(command, index++);
      if (fault === undefined) return await inner.transmit(command);
      if (fault.kind === "response") return fault.response;
      if (fault.delivered) await inner.transmit(command);
      throw fault.error;
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}
