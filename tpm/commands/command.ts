/**
 * How a command is declared: once, as Part 3 tables it, and with that both its
 * wire format and the types of {@linkcode Executor.execute}.
 *
 * @module
 */

import type { Codec, SomeCodec } from "../codec/codec.ts";
import { type Fields, struct, type Values } from "../codec/struct.ts";
import type { AuthorizedEntity, Entity } from "../entity.ts";
import type { Session } from "../authorization.ts";

/** Whether a command wants an authorization for one of its handles. */
export type HandleKind = "plain" | "auth";

/** The handles of a command in wire order. */
export type Handles = { readonly [handle: string]: HandleKind };

/** The entities that {@linkcode Handles} ask for. */
export type HandleValues<H extends Handles> = {
  readonly [K in keyof H]: H[K] extends "auth" ? AuthorizedEntity : Entity;
};

/** A command of TPM 2.0 Part 3, with its input and its output. */
export interface Command<In, Out> {
  /** Its name in Part 3. */
  readonly name: `TPM2_${string}`;
  /** TPM_CC. */
  readonly code: number;
  /** Its handles in wire order. */
  readonly handles: readonly (readonly [string, HandleKind])[];
  /** Its parameters in wire order. */
  readonly parameterNames: readonly string[];
  /** Its parameters. */
  readonly parameters: Codec<In>;
  /** The name of the handle in its response, if it has one. */
  readonly responseHandle: string | undefined;
  /** The parameters of its response. */
  readonly response: Codec<Out>;
  /** Whether sessions can encrypt its first parameter. */
  readonly isFirstParameterSized: boolean;
  /** Whether sessions can encrypt its response's first parameter. */
  readonly isFirstResponseSized: boolean;
}

/** Any command: what tools that only look at the wire need. */
export interface SomeCommand
  extends Omit<Command<never, unknown>, "parameters" | "response"> {
  /** As in {@linkcode Command}. */
  readonly parameters: SomeCodec;
  /** As in {@linkcode Command}. */
  readonly response: SomeCodec;
}

/** Sends commands to a TPM. */
export interface Executor {
  /**
   * Sends `command` and returns the checked response.
   *
   * @param sessions further sessions, for encryption or audit only
   * @throws TpmError when the TPM refuses, TransportError when it cannot be
   * reached, CodecError when it answers something else than the command's
   * response, SessionError when the answer is not authentic
   */
  execute<In, Out>(
    command: Command<In, Out>,
    input: NoInfer<In>,
    sessions?: readonly Session[],
  ): Promise<Out>;
}

/** The handle in a response, under the name that its command gives it. */
export type ResponseHandle<RH> = RH extends string
  ? { readonly [K in RH]: number }
  : unknown;

function isSized(codec: SomeCodec | undefined): boolean {
  return codec !== undefined && "isSized" in codec;
}

/** Declares a command; the arguments follow its tables in Part 3. */
export function command<
  const P extends Fields,
  const R extends Fields,
  const H extends Handles = Record<never, never>,
  const RH extends string | undefined = undefined,
>(
  name: `TPM2_${string}`,
  code: number,
  spec: {
    readonly handles?: H;
    readonly parameters: P;
    readonly responseHandle?: RH;
    readonly response: R;
  },
): Command<HandleValues<H> & Values<P>, ResponseHandle<RH> & Values<R>> {
  return {
    name,
    code,
    handles: Object.entries(spec.handles ?? {}),
    parameterNames: Object.keys(spec.parameters),
    parameters: struct(name, spec.parameters) as Codec<
      HandleValues<H> & Values<P>
    >,
    responseHandle: spec.responseHandle,
    response: struct(`${name} response`, spec.response) as unknown as Codec<
      ResponseHandle<RH> & Values<R>
    >,
    isFirstParameterSized: isSized(Object.values(spec.parameters)[0]),
    isFirstResponseSized: isSized(Object.values(spec.response)[0]),
  };
}
