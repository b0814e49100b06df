/**
 * Starting sessions, and ending them on every path.
 *
 * @module
 */

import type { Executor } from "../commands/command.ts";
import { FlushContext } from "../commands/context.ts";
import { PolicySecret, StartAuthSession } from "../commands/session.ts";
import { randomBytes } from "../crypto.ts";
import {
  type AuthorizedEntity,
  EMPTY,
  type Entity,
  handleEntity,
  NULL_ENTITY,
} from "../entity.ts";
import { DIGEST_SIZES, type TpmHash } from "../spec/algorithms.ts";
import type { TpmtPublic } from "../spec/public.ts";
import type { SessionAttributes } from "../spec/session.ts";
import { AuthSession, type SessionCipher, sessionKey } from "./auth_session.ts";
import { shareSecret } from "./salt.ts";

/** What {@linkcode startSession} can be told. */
export interface SessionOptions {
  /** Whether it authorizes by HMAC or by policy. */
  readonly type: "hmac" | "policy";
  /** Its hash. */
  readonly hash: TpmHash;
  /**
   * What it does for the commands it is used with. Without continueSession it
   * ends with its first successful command.
   */
  readonly attributes?: SessionAttributes;
  /**
   * A loaded decryption key to which a salt is sent, so that nobody on the way
   * to the TPM can compute the session key.
   */
  readonly saltKey?: Entity & { readonly publicArea: TpmtPublic };
}

/** Parameters are encrypted with AES-128, which every TPM has. */
const CIPHER: SessionCipher = { algorithm: "aes", keyBits: 128, mode: "cfb" };
const NO_CIPHER: SessionCipher = { algorithm: "null" };

/** A session that leaves the TPM when it is disposed of. */
export class OpenSession extends AuthSession implements AsyncDisposable {
  readonly #tpm: Executor;
  #isFlushed = false;

  /** `session` on `tpm`. */
  constructor(
    tpm: Executor,
    start: ConstructorParameters<typeof AuthSession>[0],
  ) {
    super(start);
    this.#tpm = tpm;
  }

  /** Whether the TPM still holds the session. */
  override get isOpen(): boolean {
    return super.isOpen && !this.#isFlushed;
  }

  /** Flushes the session, once, unless its last command has ended it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isOpen) return;
    this.#isFlushed = true;
    await this.#tpm.execute(FlushContext, { flushHandle: this.handle });
  }
}

/** Starts a session. TPM 2.0 Part 3, TPM2_StartAuthSession. */
export async function startSession(
  tpm: Executor,
  options: SessionOptions,
): Promise<OpenSession> {
  const { type, hash, saltKey, attributes = {} } = options;
  const salt = saltKey === undefined
    ? { secret: EMPTY, encrypted: EMPTY }
    : shareSecret(saltKey.publicArea, "SECRET");
  const symmetric = saltKey === undefined ? NO_CIPHER : CIPHER;
  const nonceCaller = randomBytes(DIGEST_SIZES[hash]);
  const { sessionHandle, nonceTPM } = await tpm.execute(StartAuthSession, {
    tpmKey: saltKey ?? NULL_ENTITY,
    bind: NULL_ENTITY,
    nonceCaller,
    encryptedSalt: salt.encrypted,
    sessionType: type,
    symmetric,
    authHash: hash,
  });
  return new OpenSession(tpm, {
    handle: sessionHandle,
    type,
    hash,
    nonceTpm: nonceTPM,
    sessionKey: sessionKey(hash, salt.secret, {
      tpm: nonceTPM,
      caller: nonceCaller,
    }),
    symmetric,
    attributes,
  });
}

/**
 * Adds to the policy of `session` that the holder of `authority` agrees. TPM
 * 2.0 Part 3, TPM2_PolicySecret, without limits in time or to one command.
 */
export async function policySecret(
  tpm: Executor,
  session: { readonly handle: number },
  authority: AuthorizedEntity,
): Promise<void> {
  await tpm.execute(PolicySecret, {
    authHandle: authority,
    policySession: handleEntity(session.handle),
    nonceTPM: EMPTY,
    cpHashA: EMPTY,
    policyRef: EMPTY,
    expiration: 0,
  });
}
