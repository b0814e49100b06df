/**
 * A TPM as the rest of the program sees it: declared commands in, checked
 * responses out, one at a time and in the order of asking.
 *
 * @module
 */

import type { AuthorizedEntity, Entity } from "./entity.ts";
import type { Session } from "./authorization.ts";
import type { Bytes } from "./codec/buffer.ts";
import { decode, encode } from "./codec/codec.ts";
import { CodecError } from "./codec/error.ts";
import type { Command, Executor, SomeCommand } from "./commands/command.ts";
import {
  type CommandFrame,
  decodeResponse,
  encodeCommand,
} from "./commands/frame.ts";
import { TpmError } from "./error.ts";
import { CommandAuthorization } from "./session/command_authorization.ts";
import { concernsSpace } from "./space.ts";
import { openTransport, type Tcti } from "./transport/tcti.ts";
import { type Transport, TransportError } from "./transport/transport.ts";
import { Turns } from "./turns.ts";

/** When and how often a command is sent again that the TPM put off. */
export interface ResendPolicy {
  /** First pause in milliseconds; each further one is twice as long. */
  readonly initialDelayMs: number;
  /** Longest pause in milliseconds. */
  readonly maxDelayMs: number;
  /** How often at most. */
  readonly attempts: number;
}

/** About 8 seconds in all: a self test in the background may take that long. */
const DEFAULT_RESEND: ResendPolicy = {
  initialDelayMs: 2,
  maxDelayMs: 500,
  attempts: 24,
};

/** What to do when a TPM is first opened, and what tests replace. */
export interface TpmOptions {
  /**
   * A second way to the same TPM, which it will dispose of, too. It carries
   * the commands that need no loaded object or session, and no others; where a
   * resource manager stands between, they are far cheaper there.
   */
  readonly bare?: Transport;
  /** See {@linkcode ResendPolicy}. */
  readonly resend?: ResendPolicy;
  /** Told of each command that was answered, and of the refusal if it was one. */
  readonly onCommand?: (command: SomeCommand, refusal?: TpmError) => void;
  /** Told once when the transport failed and this client is of no more use. */
  readonly onLost?: (error: Error) => void;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Whether the TPM asks to send the same command once more. */
function isPutOff(error: TpmError): boolean {
  return error.is("TPM_RC_RETRY") || error.is("TPM_RC_YIELDED") ||
    error.is("TPM_RC_TESTING");
}

/** One TPM and its queue. */
export class Tpm implements Executor, AsyncDisposable {
  readonly #transport: Transport;
  readonly #bare: Transport | undefined;
  readonly #resend: ResendPolicy;
  readonly #onCommand: (command: SomeCommand, refusal?: TpmError) => void;
  readonly #onLost: (error: Error) => void;
  readonly #turns = new Turns();
  #failure: Error | undefined;
  #closing: Promise<void> | undefined;

  /** A client of the TPM behind `transport`, which it will dispose of. */
  constructor(transport: Transport, options: TpmOptions = {}) {
    this.#transport = transport;
    this.#bare = options.bare;
    this.#resend = options.resend ?? DEFAULT_RESEND;
    this.#onCommand = options.onCommand ?? (() => {});
    this.#onLost = options.onLost ?? (() => {});
  }

  /**
   * A client of the TPM that `tcti` names, with two ways to it if there is a
   * resource manager. Throws TransportError if it cannot be reached.
   */
  static async open(
    tcti: Tcti,
    options: Omit<TpmOptions, "bare"> = {},
  ): Promise<Tpm> {
    await using opened = new AsyncDisposableStack();
    const transport = opened.use(await openTransport(tcti));
    const bare = transport.hasResourceManager
      ? { bare: opened.use(await openTransport(tcti)) }
      : {};
    opened.move();
    return new Tpm(transport, { ...options, ...bare });
  }

  /** What the TPM is reached through, for messages. */
  get target(): string {
    return this.#transport.target;
  }

  /** Whether leftovers of ended clients are cleaned up for us. */
  get hasResourceManager(): boolean {
    return this.#transport.hasResourceManager;
  }

  /** Sends one command when its turn comes. */
  execute<In, Out>(
    command: Command<In, Out>,
    input: NoInfer<In>,
    sessions?: readonly Session[],
  ): Promise<Out> {
    return this.exclusive((tpm) => tpm.execute(command, input, sessions));
  }

  /**
   * Runs `work` while nobody else's command reaches the TPM. Inside, only the
   * executor it is given may be used: this client's own methods would wait for
   * `work` to end. That executor is of no use afterwards.
   *
   * @param signal gives up waiting for the turn; a running command is never
   * abandoned, because its answer would be taken for the next one's
   */
  exclusive<T>(
    work: (tpm: Executor) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const giveUp = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", giveUp, { once: true });
    this.#turns.take(() => {
      signal?.removeEventListener("abort", giveUp);
      if (this.#closing !== undefined) {
        throw new TransportError(`${this.target} is closed`);
      }
      signal?.throwIfAborted();
      return this.#lend(work);
    }).then(resolve, reject);
    return promise;
  }

  /** Runs `work` with an executor whose commands, too, take turns. */
  async #lend<T>(work: (tpm: Executor) => Promise<T>): Promise<T> {
    const commands = new Turns();
    let isOver = false;
    const leased: Executor = {
      execute: (command, input, sessions = []) =>
        isOver
          ? Promise.reject(new TypeError("The turn at the TPM is over"))
          : commands.take(() => this.#execute(command, input, sessions)),
    };
    try {
      return await work(leased);
    } finally {
      isOver = true;
      await commands.idle();
    }
  }

  /**
   * Lets the running work end and clean up after itself, turns away what is
   * queued behind it, and closes the transports. Harmless when it is closed.
   */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    await this.#turns.idle();
    await this.#transport[Symbol.asyncDispose]();
    await this.#bare?.[Symbol.asyncDispose]();
  }

  async #execute<In, Out>(
    command: Command<In, Out>,
    input: In,
    sessions: readonly Session[],
  ): Promise<Out> {
    let delay = this.#resend.initialDelayMs;
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#executeOnce(command, input, sessions);
      } catch (error) {
        const again = error instanceof TpmError && isPutOff(error) &&
          attempt <= this.#resend.attempts;
        if (!again) throw error;
        await sleep(delay);
        delay = Math.min(delay * 2, this.#resend.maxDelayMs);
      }
    }
  }

  async #executeOnce<In, Out>(
    command: Command<In, Out>,
    input: In,
    sessions: readonly Session[],
  ): Promise<Out> {
    const entities = command.handles.map(([field]) => entityOf(input, field));
    const authorization = new CommandAuthorization(
      command,
      command.handles.flatMap(([, kind], at) =>
        kind === "auth" ? [entities[at] as AuthorizedEntity] : []
      ),
      sessions,
    );
    const handles = entities.map(({ handle }) => handle);
    const parameters = authorization.encryptParameters(
      encode(command.parameters, input),
    );
    const answer = await this.#transmit(command, {
      code: command.code,
      handles,
      authorizations: authorization.authorize(entities, parameters),
      parameters,
    });
    const response = decodeResponse(answer, {
      hasHandle: command.responseHandle !== undefined,
      sessions: authorization.count,
    });
    const refusal = response.responseCode === 0
      ? undefined
      : new TpmError(command, response.responseCode, handles);
    this.#onCommand(command, refusal);
    if (refusal !== undefined) throw refusal;
    authorization.verify(response);
    return output(
      command,
      response.handle,
      authorization.decryptParameters(response.parameters),
    );
  }

  /**
   * A transport that failed is out of step, unless it says that the TPM never
   * saw the command: what it would answer next may belong to an earlier one.
   * So it is not asked again.
   */
  async #transmit(
    command: SomeCommand,
    frame: CommandFrame,
  ): Promise<Uint8Array> {
    const bytes = encodeCommand(frame);
    const transport = concernsSpace(command, frame)
      ? this.#transport
      : this.#bare ?? this.#transport;
    if (this.#failure !== undefined) {
      throw new TransportError(`${this.target} is out of use`, {
        cause: this.#failure,
      });
    }
    try {
      return await transport.transmit(bytes);
    } catch (error) {
      if (error instanceof TransportError && error.isInStep) throw error;
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#onLost(this.#failure);
      throw error;
    }
  }
}

/** The entity that `input` gives for the handle `field`. */
function entityOf(input: unknown, field: string): Entity {
  return (input as { readonly [field: string]: Entity })[field] as Entity;
}

function output<In, Out>(
  command: Command<In, Out>,
  handle: number | undefined,
  parameters: Bytes,
): Out {
  const fields = decode(command.response, parameters);
  if (command.responseHandle === undefined) return fields;
  if (handle === undefined) throw new CodecError("the handle is missing", 10);
  return { ...fields, [command.responseHandle]: handle };
}
