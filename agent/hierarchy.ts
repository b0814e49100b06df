/**
 * The right to use a hierarchy of the TPM, which the option
 * "tpm_ownerpassword" may have to prove.
 *
 * @module
 */

import { UnfitOptionError } from "../config/error.ts";
import {
  type AuthorizedEntity,
  type Bytes,
  ENDORSEMENT,
  type Executor,
  OWNER,
  type PublicObject,
  startSession,
  TpmError,
  withPassword,
  withSession,
} from "../tpm/mod.ts";

const HIERARCHIES = { endorsement: ENDORSEMENT, owner: OWNER } as const;

/** How the right to use a hierarchy is shown. */
export interface HierarchyOptions {
  /** Which hierarchy. */
  readonly hierarchy: keyof typeof HIERARCHIES;
  /** Its authorization value; empty for none. */
  readonly auth: Bytes;
  /** A loaded decryption key, to which the proof is salted if there is one. */
  readonly saltKey?: PublicObject;
}

/**
 * Runs `work` with the right to use a hierarchy. A password that is set never
 * crosses the bus: an HMAC session proves that we know it, salted as soon as
 * there is a key to salt it to.
 *
 * @throws UnfitOptionError if the password is not the hierarchy's
 */
export async function withHierarchy<T>(
  tpm: Executor,
  options: HierarchyOptions,
  work: (hierarchy: AuthorizedEntity) => Promise<T>,
): Promise<T> {
  try {
    return await authorized(tpm, options, work);
  } catch (error) {
    const isRefused = error instanceof TpmError &&
      (error.is("TPM_RC_BAD_AUTH") || error.is("TPM_RC_AUTH_FAIL"));
    if (!isRefused) throw error;
    throw new UnfitOptionError(
      'Option "tpm_ownerpassword" is not the password of the TPM\'s ' +
        `${options.hierarchy} hierarchy`,
      { cause: error },
    );
  }
}

async function authorized<T>(
  tpm: Executor,
  { hierarchy, auth, saltKey }: HierarchyOptions,
  work: (hierarchy: AuthorizedEntity) => Promise<T>,
): Promise<T> {
  const entity = HIERARCHIES[hierarchy];
  if (auth.length === 0) return await work(withPassword(entity));
  await using session = await startSession(tpm, {
    type: "hmac",
    hash: "sha256",
    ...(saltKey === undefined ? {} : { saltKey }),
  });
  return await work(withSession(entity, session, auth));
}
