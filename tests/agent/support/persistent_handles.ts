/**
 * What is at the persistent handles of a TPM, and somebody else's key there.
 *
 * @module
 */

import {
  createPrimary,
  ekTemplate,
  ENDORSEMENT,
  makePersistent,
  OWNER,
  readHandles,
  type Tpm,
  withPassword,
} from "../../../tpm/mod.ts";

/** The persistent handles that are taken. */
export function persistentHandles(tpm: Tpm): Promise<number[]> {
  return readHandles(tpm, 0x8100_0000);
}

/** Puts a key of somebody else at `handle`, which is free. */
export async function occupy(tpm: Tpm, handle: number): Promise<void> {
  await using key = await createPrimary(
    tpm,
    withPassword(ENDORSEMENT),
    ekTemplate("ecc256"),
  );
  await makePersistent(tpm, withPassword(OWNER), { object: key, handle });
}
