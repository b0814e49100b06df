/**
 * Objects in the TPM as values that clean up after themselves.
 *
 * @module
 */

import type { Bytes } from "./codec/buffer.ts";
import { encode } from "./codec/codec.ts";
import type { Executor } from "./commands/command.ts";
import { EvictControl, FlushContext } from "./commands/context.ts";
import { Create, CreatePrimary, Load, ReadPublic } from "./commands/object.ts";
import { digest } from "./crypto.ts";
import {
  type AuthorizedEntity,
  EMPTY,
  type Entity,
  handleEntity,
} from "./entity.ts";
import { TPMT_PUBLIC, type TpmtPublic } from "./spec/public.ts";

/** An object whose public area is known. */
export interface PublicObject extends Entity {
  /** Its public area. */
  readonly publicArea: TpmtPublic;
}

/** An object as TPM2_Create gives it: only its parent can load it. */
export interface WrappedObject {
  /** Body of the TPM2B_PRIVATE. */
  readonly privateArea: Bytes;
  /** Its public area. */
  readonly publicArea: TpmtPublic;
}

/** A loaded object that leaves the TPM when it is disposed of. */
export class TransientObject implements PublicObject, AsyncDisposable {
  readonly handle: number;
  readonly name: Bytes;
  readonly publicArea: TpmtPublic;
  readonly #tpm: Executor;
  #isLoaded = true;

  /** `object`, loaded through `tpm`. */
  constructor(tpm: Executor, object: PublicObject) {
    this.#tpm = tpm;
    this.handle = object.handle;
    this.name = object.name;
    this.publicArea = object.publicArea;
  }

  /** Flushes the object, once. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isLoaded) return;
    this.#isLoaded = false;
    await this.#tpm.execute(FlushContext, { flushHandle: this.handle });
  }
}

/**
 * The Name of an object with this public area. TPM 2.0 Part 1, "Names".
 * Throws RangeError for an area without a nameAlg.
 */
export function nameOf(publicArea: TpmtPublic): Bytes {
  if (publicArea.nameAlg === "null") {
    throw new RangeError("An object without a nameAlg has no Name");
  }
  const area = encode(TPMT_PUBLIC, publicArea);
  // A Name starts with nameAlg, which is the area's second field.
  return Uint8Array.from([
    ...area.subarray(2, 4),
    ...digest(publicArea.nameAlg, area),
  ]);
}

const NO_SENSITIVE = { userAuth: EMPTY, data: EMPTY } as const;

/**
 * Makes the primary object that `template` and the hierarchy's seed determine.
 * TPM 2.0 Part 3, TPM2_CreatePrimary.
 */
export async function createPrimary(
  tpm: Executor,
  hierarchy: AuthorizedEntity,
  template: TpmtPublic,
): Promise<TransientObject> {
  const { objectHandle, name, outPublic } = await tpm.execute(CreatePrimary, {
    primaryHandle: hierarchy,
    inSensitive: NO_SENSITIVE,
    inPublic: template,
    outsideInfo: EMPTY,
    creationPCR: [],
  });
  return new TransientObject(tpm, {
    handle: objectHandle,
    name,
    publicArea: outPublic,
  });
}

/**
 * Makes a key below `parent`, without loading it. TPM 2.0 Part 3, TPM2_Create.
 */
export async function create(
  tpm: Executor,
  parent: AuthorizedEntity,
  template: TpmtPublic,
): Promise<WrappedObject> {
  const { outPrivate, outPublic } = await tpm.execute(Create, {
    parentHandle: parent,
    inSensitive: NO_SENSITIVE,
    inPublic: template,
    outsideInfo: EMPTY,
    creationPCR: [],
  });
  return { privateArea: outPrivate, publicArea: outPublic };
}

/** Loads `object` below `parent`. TPM 2.0 Part 3, TPM2_Load. */
export async function load(
  tpm: Executor,
  parent: AuthorizedEntity,
  object: WrappedObject,
): Promise<TransientObject> {
  const { objectHandle, name } = await tpm.execute(Load, {
    parentHandle: parent,
    inPrivate: object.privateArea,
    inPublic: object.publicArea,
  });
  return new TransientObject(tpm, {
    handle: objectHandle,
    name,
    publicArea: object.publicArea,
  });
}

/**
 * The object at `handle`, usually a persistent one. TPM 2.0 Part 3,
 * TPM2_ReadPublic.
 */
export async function readPublic(
  tpm: Executor,
  handle: number,
): Promise<PublicObject> {
  const { outPublic, name } = await tpm.execute(ReadPublic, {
    objectHandle: handleEntity(handle),
  });
  return { handle, name, publicArea: outPublic };
}

/**
 * Copies the loaded `object` to the free persistent handle `handle`, where it
 * outlives power cycles. TPM 2.0 Part 3, TPM2_EvictControl.
 *
 * @param authority the owner or the platform; each has its own range of handles
 */
export async function makePersistent(
  tpm: Executor,
  authority: AuthorizedEntity,
  { object, handle }: { readonly object: Entity; readonly handle: number },
): Promise<void> {
  await tpm.execute(EvictControl, {
    auth: authority,
    objectHandle: object,
    persistentHandle: handle,
  });
}

/** Removes a persistent object. TPM 2.0 Part 3, TPM2_EvictControl. */
export async function evict(
  tpm: Executor,
  authority: AuthorizedEntity,
  object: Entity,
): Promise<void> {
  await tpm.execute(EvictControl, {
    auth: authority,
    objectHandle: object,
    persistentHandle: object.handle,
  });
}
