/**
 * HMAC and policy sessions: nonces, session key, HMACs and parameter
 * encryption. TPM 2.0 Part 1, "Session-Based Authorizations" and "Session-based
 * Encryption".
 *
 * @module
 */

import {
  type Session,
  SessionError,
  type SessionExchange,
} from "../authorization.ts";
import type { Bytes } from "../codec/buffer.ts";
import { encode, type TypeOf } from "../codec/codec.ts";
import { equalInConstantTime, hmac, randomBytes } from "../crypto.ts";
import { EMPTY } from "../entity.ts";
import { DIGEST_SIZES, type TpmHash } from "../spec/algorithms.ts";
import type { TPMT_SYM_DEF } from "../spec/schemes.ts";
import {
  type AuthCommand,
  type AuthResponse,
  type SessionAttributes,
  TPMA_SESSION,
} from "../spec/session.ts";
import { AES_BLOCK, decryptCfb, encryptCfb } from "./cfb.ts";
import { kdfa } from "./kdf.ts";

/** The cipher of a session's parameter encryption. */
export type SessionCipher = TypeOf<typeof TPMT_SYM_DEF>;

/** What is known of a session once the TPM has started it. */
export interface SessionStart {
  /** Its handle. */
  readonly handle: number;
  /** Whether it authorizes by HMAC or by policy. */
  readonly type: "hmac" | "policy";
  /** Its hash. */
  readonly hash: TpmHash;
  /** The nonce that the TPM answered with. */
  readonly nonceTpm: Bytes;
  /** From {@linkcode sessionKey}; empty when neither salted nor bound. */
  readonly sessionKey: Bytes;
  /** Its cipher. */
  readonly symmetric: SessionCipher;
  /** What it does for the commands that it is used with. */
  readonly attributes: SessionAttributes;
  /** Where nonceCaller comes from; tests that know every nonce replace it. */
  readonly random?: (count: number) => Bytes;
}

/**
 * The session key. TPM 2.0 Part 1, "Session Key Creation".
 *
 * @param secrets authValue of the bound entity, then the salt; both may be
 * empty, and then so is the key
 */
export function sessionKey(
  hash: TpmHash,
  secrets: Bytes,
  nonces: { readonly tpm: Bytes; readonly caller: Bytes },
): Bytes {
  if (secrets.length === 0) return EMPTY;
  return kdfa(secrets, {
    hash,
    label: "ATH",
    contextU: nonces.tpm,
    contextV: nonces.caller,
    bits: DIGEST_SIZES[hash] * 8,
  });
}

/** `authValue` without its trailing zeros, which a TPM drops too. */
export function trimAuthValue(authValue: Bytes): Bytes {
  let end = authValue.length;
  while (end > 0 && authValue[end - 1] === 0) end--;
  return authValue.slice(0, end);
}

function concatenated(...parts: readonly Bytes[]): Bytes {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** A session of either type. */
export class AuthSession implements Session {
  readonly handle: number;
  readonly hash: TpmHash;
  readonly attributes: SessionAttributes;
  readonly #start: SessionStart;
  #nonceTpm: Bytes;
  #isOpen = true;

  /** The session that a TPM has just started. */
  constructor(start: SessionStart) {
    this.#start = start;
    this.handle = start.handle;
    this.hash = start.hash;
    this.attributes = start.attributes;
    this.#nonceTpm = start.nonceTpm;
  }

  get nonceTpm(): Bytes {
    return this.#nonceTpm;
  }

  /**
   * Whether the TPM still holds the session: a command that succeeds with
   * continueSession CLEAR ends it.
   */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  begin(authValue: Bytes): SessionExchange {
    const { type, hash, sessionKey, attributes } = this.#start;
    const key = concatenated(
      sessionKey,
      type === "hmac" ? trimAuthValue(authValue) : EMPTY,
    );
    // A policy session without a key has nothing to prove beyond its digest.
    const proves = type === "hmac" || sessionKey.length > 0;
    const random = this.#start.random ?? randomBytes;
    const nonceCaller = proves ? random(DIGEST_SIZES[hash]) : EMPTY;
    const nonceOld = this.#nonceTpm;
    const word = (value: SessionAttributes): Bytes =>
      encode(TPMA_SESSION, value);
    const cipherKeys = (newer: Bytes, older: Bytes): CipherKeys =>
      this.#cipherKeys(concatenated(sessionKey, trimAuthValue(authValue)), {
        newer,
        older,
      });
    let nonceNew: Bytes = nonceOld;
    return {
      encrypt: (parameter) =>
        encryptCfb(cipherKeys(nonceCaller, nonceOld), parameter),
      authorize: (cpHash, otherNonces): AuthCommand => ({
        sessionHandle: this.handle,
        nonce: nonceCaller,
        sessionAttributes: attributes,
        hmac: proves
          ? hmac(
            hash,
            key,
            cpHash,
            nonceCaller,
            nonceOld,
            ...otherNonces,
            word(attributes),
          )
          : EMPTY,
      }),
      verify: (rpHash, answer: AuthResponse): void => {
        const expected = proves
          ? hmac(
            hash,
            key,
            rpHash,
            answer.nonce,
            nonceCaller,
            word(answer.sessionAttributes),
          )
          : EMPTY;
        if (!equalInConstantTime(expected, answer.hmac)) {
          throw new SessionError(
            "The HMAC in the TPM's answer is wrong: something between the " +
              "agent and the TPM changed the answer, or the session is not ours",
          );
        }
        nonceNew = answer.nonce;
        this.#nonceTpm = answer.nonce;
        this.#isOpen = answer.sessionAttributes.continueSession === true;
      },
      decrypt: (parameter) =>
        decryptCfb(cipherKeys(nonceNew, nonceCaller), parameter),
    };
  }

  #cipherKeys(
    key: Bytes,
    nonces: { readonly newer: Bytes; readonly older: Bytes },
  ): CipherKeys {
    const { hash, symmetric } = this.#start;
    if (symmetric.algorithm !== "aes" || symmetric.mode !== "cfb") {
      throw new RangeError(
        `A session with "${symmetric.algorithm}" cannot encrypt parameters`,
      );
    }
    const keyBytes = symmetric.keyBits / 8;
    const material = kdfa(key, {
      hash,
      label: "CFB",
      contextU: nonces.newer,
      contextV: nonces.older,
      bits: symmetric.keyBits + AES_BLOCK * 8,
    });
    return { key: material.slice(0, keyBytes), iv: material.slice(keyBytes) };
  }
}

interface CipherKeys {
  readonly key: Bytes;
  readonly iv: Bytes;
}
