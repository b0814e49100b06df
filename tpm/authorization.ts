/**
 * How a command proves that it may be run. TPM 2.0 Part 1, "Authorizations
 * and Acknowledgments".
 *
 * @module
 */

import type { Bytes } from "./codec/buffer.ts";
import type { TpmHash } from "./spec/algorithms.ts";
import type {
  AuthCommand,
  AuthResponse,
  SessionAttributes,
} from "./spec/session.ts";

/** A session that a TPM holds for us. */
export interface Session {
  /** Its handle. */
  readonly handle: number;
  /** The hash of its HMACs and of the cpHash and rpHash it covers. */
  readonly hash: TpmHash;
  /** The nonce that the TPM gave last. */
  readonly nonceTpm: Bytes;
  /** What it does for the commands that it is used with. */
  readonly attributes: SessionAttributes;
  /** Starts using the session for one command, with a fresh nonce. */
  begin(authValue: Bytes): SessionExchange;
}

/**
 * One command's use of a session. The session's own state moves on only when
 * {@linkcode SessionExchange.verify} has found the answer authentic.
 */
export interface SessionExchange {
  /** `parameter`, encrypted for the way to the TPM. */
  encrypt(parameter: Bytes): Bytes;
  /**
   * The entry of the authorization area.
   *
   * @param otherNonces nonceTPM of the sessions that encrypt, if this is the
   * first session and others do
   */
  authorize(cpHash: Bytes, otherNonces: readonly Bytes[]): AuthCommand;
  /** Checks the TPM's answer; throws SessionError if it is not authentic. */
  verify(rpHash: Bytes, answer: AuthResponse): void;
  /** `parameter` of a verified response, decrypted. */
  decrypt(parameter: Bytes): Bytes;
}

/** The proof for one entity. */
export type Authorization =
  | { readonly kind: "password"; readonly secret: Bytes }
  | {
    readonly kind: "session";
    /** The session that stands for the entity. */
    readonly session: Session;
    /** The entity's authValue; empty where a policy does not ask for it. */
    readonly authValue: Bytes;
  };

/** A session answered with something that the TPM cannot have sent. */
export class SessionError extends Error {
  /** The class's name, also after bundling. */
  override readonly name = "SessionError";
}
