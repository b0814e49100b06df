/**
 * The attestation key at a persistent handle, as option "ak_handle" asks for:
 * a quote then costs no swapping of contexts. The key stays the one of
 * `agent_data.json`; what is in the TPM is a copy that may go at any time.
 *
 * @module
 */

import { UnfitOptionError } from "../config/error.ts";
import { describe, type Log } from "../log/log.ts";
import {
  type Bytes,
  encode,
  evict,
  type Executor,
  formatHandle,
  makePersistent,
  type PublicObject,
  readPublic,
  TpmError,
  TPMT_PUBLIC,
  type TransientObject,
  type WrappedObject,
} from "../tpm/mod.ts";
import { withHierarchy } from "./hierarchy.ts";

/** The place of a persistent key and the right to change it. */
export interface PersistentPlace {
  /** A persistent handle of the owner. */
  readonly handle: number;
  /** The owner hierarchy's authorization value; empty for none. */
  readonly ownerAuth: Bytes;
}

/**
 * The key at `handle`, or undefined if the handle is free.
 *
 * @throws UnfitOptionError if it is another key than `kept`, which is nobody's to remove
 * but the administrator's
 */
export async function findPersistent(
  tpm: Executor,
  { handle, kept }: {
    readonly handle: number;
    readonly kept: WrappedObject | undefined;
  },
): Promise<PublicObject | undefined> {
  const present = await objectAt(tpm, handle);
  if (present === undefined) return undefined;
  // The Name is the hash of this area, so equal areas are one key.
  const area = encode(TPMT_PUBLIC, present.publicArea).toHex();
  const isOurs = kept !== undefined &&
    encode(TPMT_PUBLIC, kept.publicArea).toHex() === area;
  if (isOurs) return present;
  const where = formatHandle(handle);
  throw new UnfitOptionError(
    `Option "ak_handle" names ${where}, which holds another key than ` +
      "agent_data.json; name a free handle, or remove that key if nothing " +
      `needs it: tpm2_evictcontrol -C o -c ${where}`,
  );
}

async function objectAt(
  tpm: Executor,
  handle: number,
): Promise<PublicObject | undefined> {
  try {
    return await readPublic(tpm, handle);
  } catch (error) {
    if (error instanceof TpmError && error.is("TPM_RC_HANDLE")) {
      return undefined;
    }
    throw error;
  }
}

/**
 * Puts `key` at the free `place` and unloads it. If the TPM refuses, that is
 * told, and the key stays loaded as it is: it attests just as well.
 */
export async function persist(
  tpm: Executor,
  key: TransientObject,
  { place: { handle, ownerAuth }, saltKey, log }: {
    readonly place: PersistentPlace;
    readonly saltKey: PublicObject;
    readonly log: Log;
  },
): Promise<PublicObject> {
  const where = formatHandle(handle);
  await using unloading = new AsyncDisposableStack();
  unloading.use(key);
  try {
    await withHierarchy(
      tpm,
      { hierarchy: "owner", auth: ownerAuth, saltKey },
      (owner) => makePersistent(tpm, owner, { object: key, handle }),
    );
  } catch (error) {
    const isRefusal = error instanceof TpmError ||
      error instanceof UnfitOptionError;
    if (!isRefusal) throw error;
    log.warn(
      `The attestation key cannot be kept at ${where} (${describe(error)}); ` +
        "the agent goes on without, each quote at some more cost",
    );
    unloading.move();
    return key;
  }
  log.info(`Made the attestation key persistent at ${where}`);
  return { handle, name: key.name, publicArea: key.publicArea };
}

/**
 * Removes the key `kept` from its place, and returns whether it was there.
 *
 * @throws UnfitOptionError if another key is there
 */
export async function evictKept(
  tpm: Executor,
  { handle, ownerAuth, kept }: PersistentPlace & {
    readonly kept: WrappedObject | undefined;
  },
): Promise<boolean> {
  const present = await findPersistent(tpm, { handle, kept });
  if (present === undefined) return false;
  await withHierarchy(
    tpm,
    { hierarchy: "owner", auth: ownerAuth },
    (owner) => evict(tpm, owner, present),
  );
  return true;
}
