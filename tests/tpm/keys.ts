/**
 * Keys as the agent has them, made on the TPM of a test.
 *
 * @module
 */

import type { Executor } from "../../tpm/commands/command.ts";
import {
  type AuthorizedEntity,
  ENDORSEMENT,
  withPassword,
  withSession,
} from "../../tpm/entity.ts";
import {
  create,
  createPrimary,
  load,
  TransientObject,
} from "../../tpm/object.ts";
import { policySecret, startSession } from "../../tpm/session/start.ts";
import type { TpmtPublic } from "../../tpm/spec/public.ts";
import {
  ekTemplate,
  type KeyType,
  type SigningScheme,
} from "../../tpm/templates.ts";

/** The kinds of key, with the scheme that each signs with. */
export const KEYS: readonly (readonly [KeyType, SigningScheme])[] = [
  ["rsa2048", "rsassa"],
  ["ecc256", "ecdsa"],
];

/** The endorsement key of that kind. */
export function ekOn(tpm: Executor, type: KeyType): Promise<TransientObject> {
  return createPrimary(tpm, withPassword(ENDORSEMENT), ekTemplate(type));
}

/** Runs `work` with a right to use the endorsement key `ek` once. */
export async function withEk<T>(
  tpm: Executor,
  ek: TransientObject,
  work: (authorized: AuthorizedEntity) => Promise<T>,
): Promise<T> {
  await using session = await startSession(tpm, {
    type: "policy",
    hash: "sha256",
    saltKey: ek,
    attributes: { encrypt: true },
  });
  await policySecret(tpm, session, withPassword(ENDORSEMENT));
  return await work(withSession(ek, session));
}

/** An attestation key below `ek`. */
export async function akBelow(
  tpm: Executor,
  ek: TransientObject,
  template: TpmtPublic,
): Promise<TransientObject> {
  const made = await withEk(tpm, ek, (key) => create(tpm, key, template));
  return await withEk(tpm, ek, (key) => load(tpm, key, made));
}
