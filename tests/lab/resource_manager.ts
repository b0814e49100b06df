/**
 * A resource manager between clients and a TPM, doing what Linux does behind
 * `/dev/tpmrm0` (drivers/char/tpm/tpm2-space.c) command by command: before
 * each command in a space it loads all that the space holds, after it saves
 * and flushes it again. What a test counts below it, a real chip would see.
 *
 * @module
 */

import type { Transport } from "../../tpm/mod.ts";

/** Sends one whole command to the TPM and resolves with the response. */
export type Transmit = (command: Uint8Array) => Promise<Uint8Array>;

const CODE = { contextLoad: 0x161, contextSave: 0x162, flushContext: 0x165 };
const GET_CAPABILITY = 0x17a;
const CAP_HANDLES = 1;
const CAP_COMMANDS = 2;
const HEADER = 10;
/** Linux has this many places for objects and for sessions in a space. */
const PLACES = 3;
const LAST_TRANSIENT = 0x80ff_ffff;
/** TSS2_RC of the resource manager: no such object in this space. */
const UNKNOWN_HANDLE = 0x000b_018b;
const OUT_OF_PLACES = 0x000b_0902;

/** What of a command's shape is in TPMA_CC. TPM 2.0 Part 2, TPMA_CC. */
interface Shape {
  readonly handles: number;
  readonly returnsHandle: boolean;
}

/** What a space keeps of an object or session while it is not in the TPM. */
interface Held {
  handle: number;
  context: Uint8Array;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isOk(response: Uint8Array): boolean {
  return view(response).getUint32(6) === 0;
}

function isSession(handle: number): boolean {
  return handle >>> 24 === 2 || handle >>> 24 === 3;
}

function isTransient(handle: number): boolean {
  return handle >>> 24 === 0x80;
}

function command(code: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER + body.length);
  view(bytes).setUint16(0, 0x8001);
  view(bytes).setUint32(2, bytes.length);
  view(bytes).setUint32(6, code);
  bytes.set(body, HEADER);
  return bytes;
}

function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  values.forEach((value, at) => view(bytes).setUint32(4 * at, value));
  return bytes;
}

function refusal(responseCode: number): Uint8Array {
  return command(responseCode, new Uint8Array());
}

/** A TPM that many clients share, each with a space of its own. */
export class ResourceManager {
  readonly #transmit: Transmit;
  #shapes: Promise<ReadonlyMap<number, Shape>> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** Manages the TPM that `transmit` reaches, and which no one else may use. */
  constructor(transmit: Transmit) {
    this.#transmit = transmit;
  }

  /** Opens a new space, as opening `/dev/tpmrm0` does. */
  open(): Transport {
    const space = new Space(this.#transmit);
    return {
      target: "a TPM behind a resource manager",
      hasResourceManager: true,
      transmit: (bytes) =>
        this.#inTurn(async () => {
          const shapes = await (this.#shapes ??= readShapes(this.#transmit));
          const shape = shapes.get(view(bytes).getUint32(6));
          if (shape === undefined) return refusal(0x143);
          return await space.run(bytes, shape);
        }),
      [Symbol.asyncDispose]: () => this.#inTurn(() => space.close()),
    };
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }
}

/** Asks the TPM once how its commands look, as Linux does. */
async function readShapes(
  transmit: Transmit,
): Promise<ReadonlyMap<number, Shape>> {
  const response = await transmit(
    command(GET_CAPABILITY, words(CAP_COMMANDS, 0, 254)),
  );
  const answer = view(response);
  const shapes = new Map<number, Shape>();
  for (let at = 0; at < answer.getUint32(15); at++) {
    const attributes = answer.getUint32(19 + 4 * at);
    shapes.set(attributes & 0xffff, {
      handles: attributes >>> 25 & 7,
      returnsHandle: (attributes >>> 28 & 1) === 1,
    });
  }
  // Its handle counts as a parameter, but managers have to know it.
  shapes.set(CODE.flushContext, { handles: 1, returnsHandle: false });
  return shapes;
}

/** What one client has loaded. */
class Space {
  readonly #transmit: Transmit;
  /** Objects by the handle that the client knows. */
  readonly #objects = new Map<number, Held>();
  readonly #sessions = new Map<number, Held>();

  constructor(transmit: Transmit) {
    this.#transmit = transmit;
  }

  async run(bytes: Uint8Array, shape: Shape): Promise<Uint8Array> {
    for (
      const held of [...this.#objects.values(), ...this.#sessions.values()]
    ) {
      await this.#load(held);
    }
    const response = await this.#send(bytes.slice(), shape);
    for (const [known, held] of this.#objects) {
      if (!await this.#save(held)) this.#objects.delete(known);
      else await this.#flush(held.handle);
    }
    for (const [known, held] of this.#sessions) {
      if (!await this.#save(held)) this.#sessions.delete(known);
    }
    return response;
  }

  /** Saved objects are just forgotten; sessions have a place in the TPM. */
  async close(): Promise<void> {
    this.#objects.clear();
    for (const handle of this.#sessions.keys()) await this.#flush(handle);
    this.#sessions.clear();
  }

  async #send(bytes: Uint8Array, shape: Shape): Promise<Uint8Array> {
    for (let n = 0, at = HEADER; n < shape.handles; n++, at += 4) {
      const known = view(bytes).getUint32(at);
      if (!isTransient(known)) continue;
      const held = this.#objects.get(known);
      if (held === undefined) return refusal(UNKNOWN_HANDLE);
      view(bytes).setUint32(at, held.handle);
    }
    const response = (await this.#transmit(bytes)).slice();
    if (!isOk(response)) return response;
    if (shape.returnsHandle) return await this.#adopt(response);
    const isHandleList = view(bytes).getUint32(6) === GET_CAPABILITY &&
      view(response).getUint32(11) === CAP_HANDLES;
    return isHandleList ? this.#translate(response) : response;
  }

  /** Gives the new object or session in `response` a place. */
  async #adopt(response: Uint8Array): Promise<Uint8Array> {
    const handle = view(response).getUint32(HEADER);
    const held = { handle, context: new Uint8Array() };
    const table = isSession(handle) ? this.#sessions : this.#objects;
    if (table.size === PLACES) {
      await this.#flush(handle);
      return refusal(OUT_OF_PLACES);
    }
    let known = handle;
    if (isTransient(handle)) {
      for (known = LAST_TRANSIENT; table.has(known);) known--;
    }
    table.set(known, held);
    view(response).setUint32(HEADER, known);
    return response;
  }

  /** The client's own objects are the only ones that it sees listed. */
  #translate(response: Uint8Array): Uint8Array {
    const list = view(response);
    const handles = Array.from(
      { length: list.getUint32(15) },
      (_, at) => list.getUint32(19 + 4 * at),
    ).flatMap((handle) => {
      if (!isTransient(handle)) return [handle];
      return [...this.#objects].filter(([, held]) => held.handle === handle)
        .map(([known]) => known);
    });
    const shorter = new Uint8Array(19 + 4 * handles.length);
    shorter.set(response.subarray(0, 15));
    shorter.set(words(handles.length, ...handles), 15);
    view(shorter).setUint32(2, shorter.length);
    return shorter;
  }

  async #load(held: Held): Promise<void> {
    const response = await this.#transmit(
      command(CODE.contextLoad, held.context),
    );
    if (!isOk(response)) throw new Error("A context cannot be loaded");
    held.handle = view(response).getUint32(HEADER);
  }

  /** Whether what `held` stands for was still there. */
  async #save(held: Held): Promise<boolean> {
    const response = await this.#transmit(
      command(CODE.contextSave, words(held.handle)),
    );
    held.context = response.slice(HEADER);
    return isOk(response);
  }

  async #flush(handle: number): Promise<void> {
    await this.#transmit(command(CODE.flushContext, words(handle)));
  }
}
