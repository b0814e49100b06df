/**
 * What a command's handles refer to. A handle always travels with the Name of
 * its entity, because authorizations are computed over Names.
 *
 * @module
 */

import type { Bytes } from "./codec/buffer.ts";
import { encode } from "./codec/codec.ts";
import { u32 } from "./codec/scalars.ts";
import {
  TPM_RH_ENDORSEMENT,
  TPM_RH_NULL,
  TPM_RH_OWNER,
} from "./spec/handles.ts";
import type { Authorization, Session } from "./authorization.ts";

/** A handle and the Name of what it refers to. */
export interface Entity {
  /** The TPM handle. */
  readonly handle: number;
  /** The Name. TPM 2.0 Part 1, "Names". */
  readonly name: Bytes;
}

/** An entity together with the right to use it. */
export interface AuthorizedEntity extends Entity {
  /** The proof that goes into the authorization area. */
  readonly authorization: Authorization;
}

/** No bytes: the authValue of most entities. */
export const EMPTY: Bytes = new Uint8Array(0);

/**
 * An entity whose Name is its handle: a PCR, a hierarchy or a session. TPM 2.0
 * Part 1, "Names".
 */
export function handleEntity(handle: number): Entity {
  return { handle, name: encode(u32, handle) };
}

/** `entity`, authorized by its password; most entities' is empty. */
export function withPassword(
  entity: Entity,
  secret: Bytes = EMPTY,
): AuthorizedEntity {
  return { ...identified(entity), authorization: { kind: "password", secret } };
}

/** `entity`, authorized by a policy or HMAC session. */
export function withSession(
  entity: Entity,
  session: Session,
  authValue: Bytes = EMPTY,
): AuthorizedEntity {
  return {
    ...identified(entity),
    authorization: { kind: "session", session, authValue },
  };
}

/** Just handle and Name: spreading a class instance would lose its getters. */
function identified({ handle, name }: Entity): Entity {
  return { handle, name };
}

/** The absent entity. */
export const NULL_ENTITY: Entity = handleEntity(TPM_RH_NULL);
/** The endorsement hierarchy. */
export const ENDORSEMENT: Entity = handleEntity(TPM_RH_ENDORSEMENT);
/** The owner hierarchy. */
export const OWNER: Entity = handleEntity(TPM_RH_OWNER);
