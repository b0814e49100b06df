/**
 * How the payload key comes to this machine: the tenant sends one half, U, and
 * the verifier the other, V, only once it has attested the machine (contract
 * sections 8.1 and 8.2). Neither half says anything about the key.
 *
 * Everything is in memory only; a restart forgets it.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import {
  constants,
  createHmac,
  type KeyObject,
  privateDecrypt,
  timingSafeEqual,
} from "node:crypto";
import { PayloadError } from "./error.ts";
import { Secret } from "./secret.ts";

/** Bytes of an authentication tag, HMAC-SHA384. */
export const AUTH_TAG_SIZE = 48;

/**
 * Most halves of a kind that wait for their counterpart. Upstream keeps all,
 * for ever; a tenant or verifier needs one, and repeats what was lost.
 */
export const PENDING_MAX = 8;

/** What the tenant sends. */
export interface TenantShare {
  /** U, from {@linkcode KeyShares.open}. */
  readonly share: Secret;
  /** HMAC-SHA384 of the agent's id under the key: 48 bytes. */
  readonly authTag: Uint8Array;
  /** The sealed payload, if one belongs to the key. */
  readonly payload?: Uint8Array<ArrayBuffer> | undefined;
}

/** U and V met. */
export interface CombinedKey {
  /** The key: 16 or 32 bytes, for the receiver to wipe. */
  readonly key: Secret;
  /** The sealed payload that came with U. */
  readonly payload: Uint8Array<ArrayBuffer> | undefined;
}

/** The halves that arrived, and the key once a pair of them fits. */
export class KeyShares {
  readonly #privateKey: KeyObject;
  readonly #uuid: string;
  /** Newest first. */
  #tenantShares: TenantShare[] = [];
  /** Newest first. */
  #verifierShares: Secret[] = [];
  #key: Secret | undefined;

  /**
   * Knows no half yet.
   *
   * @param privateKey the RSA key that the halves are encrypted to
   * @param uuid the agent's id, which the tags are made over
   */
  constructor(privateKey: KeyObject, uuid: string) {
    this.#privateKey = privateKey;
    this.#uuid = uuid;
  }

  /**
   * The half in `encrypted`: RSA-OAEP with SHA-1 and an empty label.
   *
   * @throws {PayloadError} when it is none of 16 or 32 bytes for this agent
   */
  open(encrypted: Uint8Array): Secret {
    let share: Uint8Array<ArrayBuffer>;
    try {
      share = new Uint8Array(privateDecrypt({
        key: this.#privateKey,
        padding: constants.RSA_PKCS1_OAEP_PADDING,
        oaepHash: "sha1",
      }, encrypted));
    } catch (cause) {
      throw new PayloadError(
        "share",
        "Failed to decrypt the encrypted key: it was not encrypted with " +
          "RSA-OAEP to this agent's public key",
        { cause },
      );
    }
    if (share.length !== 16 && share.length !== 32) {
      throw new PayloadError(
        "share",
        `The decrypted key share has ${share.length} bytes, expected 16 or 32`,
      );
    }
    return new Secret(share);
  }

  /**
   * Takes the tenant's half; returns the key if the other half is there.
   *
   * @throws {PayloadError} when the tag is no HMAC-SHA384
   */
  addTenantShare(added: TenantShare): CombinedKey | undefined {
    if (added.authTag.length !== AUTH_TAG_SIZE) {
      throw new PayloadError(
        "share",
        `The authentication tag has ${added.authTag.length} bytes, ` +
          `expected ${AUTH_TAG_SIZE}`,
      );
    }
    for (const share of this.#verifierShares) {
      const combined = this.#combine(added, share);
      if (combined !== undefined) return combined;
    }
    // The same half again takes the place of the old one, with its payload.
    const others = this.#tenantShares.filter((known) =>
      !isEqual(known.share, added.share) ||
      !timingSafeEqual(known.authTag, added.authTag)
    );
    this.#tenantShares = [added, ...others];
    for (const { share } of this.#tenantShares.splice(PENDING_MAX)) {
      share.wipe();
    }
    return undefined;
  }

  /** Takes the verifier's half; returns the key if the other half is there. */
  addVerifierShare(added: Secret): CombinedKey | undefined {
    for (const tenantShare of this.#tenantShares) {
      const combined = this.#combine(tenantShare, added);
      if (combined !== undefined) return combined;
    }
    const others = this.#verifierShares.filter((known) =>
      !isEqual(known, added)
    );
    this.#verifierShares = [added, ...others];
    for (const share of this.#verifierShares.splice(PENDING_MAX)) share.wipe();
    return undefined;
  }

  /** Whether halves of both kinds wait and none fits another. */
  get isMismatched(): boolean {
    return this.#tenantShares.length > 0 && this.#verifierShares.length > 0;
  }

  /**
   * Proof to the tenant that the key is here: HMAC-SHA384 of `challenge` under
   * it, in lower-case hexadecimal; undefined while there is no key.
   */
  prove(challenge: string): string | undefined {
    return this.#key?.use((key) => mac(key, challenge).toString("hex"));
  }

  /** Takes the key, and drops all halves, if this pair is the tenant's. */
  #combine(tenant: TenantShare, verifier: Secret): CombinedKey | undefined {
    if (tenant.share.length !== verifier.length) return undefined;
    const key = xor(tenant.share, verifier);
    const isRight = key.use((bytes) =>
      timingSafeEqual(mac(bytes, this.#uuid), tenant.authTag)
    );
    if (!isRight) {
      key.wipe();
      return undefined;
    }
    for (const { share } of [tenant, ...this.#tenantShares]) share.wipe();
    for (const share of [verifier, ...this.#verifierShares]) share.wipe();
    this.#tenantShares = [];
    this.#verifierShares = [];
    this.#key?.wipe();
    this.#key = key;
    return { key: key.copy(), payload: tenant.payload };
  }
}

function mac(key: Uint8Array, text: string): Buffer {
  return createHmac("sha384", key).update(text).digest();
}

function xor(left: Secret, right: Secret): Secret {
  return left.use((a) =>
    right.use((b) => new Secret(a.map((byte, at) => byte ^ (b[at] ?? 0))))
  );
}

function isEqual(left: Secret, right: Secret): boolean {
  return left.length === right.length &&
    left.use((a) => right.use((b) => timingSafeEqual(a, b)));
}
