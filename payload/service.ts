/**
 * Payloads as the API sees them: key shares go in, a proof of the key comes
 * out, and files appear in the secure mount.
 *
 * @module
 */

import type { KeyObject } from "node:crypto";
import type { PayloadConfig } from "../config/agent_config.ts";
import type { Log } from "../log/log.ts";
import { PayloadDelivery } from "./delivery.ts";
import { type CombinedKey, KeyShares, type TenantShare } from "./key_shares.ts";
import type { SecurePlace } from "./secure_mount.ts";
import type { Secret } from "./secret.ts";

/** What receives the halves of the payload key. Contract section 5.8. */
export interface KeyReceiver {
  /**
   * The half of a key in `encrypted`, for one of the other methods.
   *
   * @throws {PayloadError} when it is none of 16 or 32 bytes for this agent
   */
  openShare(encrypted: Uint8Array): Secret;
  /** Takes the tenant's half; the tag has 48 bytes. */
  acceptTenantShare(share: TenantShare): void;
  /** Takes the verifier's half. */
  acceptVerifierShare(share: Secret): void;
  /** HMAC-SHA384 of `challenge` in hexadecimal, undefined without a key. */
  prove(challenge: string): string | undefined;
}

/** What payloads need. */
export interface PayloadServiceOptions {
  /** What becomes of a payload. */
  readonly config: PayloadConfig;
  /** The agent's id. */
  readonly uuid: string;
  /** The RSA key that halves are encrypted to. */
  readonly privateKey: KeyObject;
  /** Where secrets may be written, if anywhere. */
  readonly place: SecurePlace;
  /** Called when new files are in place, and once more after the script. */
  readonly onDelivered: () => void | Promise<void>;
  /** Each step at debug, what an administrator wants to know above. */
  readonly log: Log;
}

/** Receives keys and delivers payloads until it is disposed. */
export class PayloadService implements KeyReceiver, AsyncDisposable {
  readonly #shares: KeyShares;
  readonly #delivery: PayloadDelivery;
  readonly #log: Log;

  private constructor(
    { uuid, privateKey, log }: PayloadServiceOptions,
    delivery: PayloadDelivery,
  ) {
    this.#shares = new KeyShares(privateKey, uuid);
    this.#delivery = delivery;
    this.#log = log;
  }

  /** Ready to receive; warns where payloads will be refused. */
  static async open(options: PayloadServiceOptions): Promise<PayloadService> {
    return new PayloadService(options, await PayloadDelivery.open(options));
  }

  /** As {@linkcode KeyReceiver.openShare} says. */
  openShare(encrypted: Uint8Array): Secret {
    return this.#shares.open(encrypted);
  }

  /** As {@linkcode KeyReceiver.acceptTenantShare} says. */
  acceptTenantShare(share: TenantShare): void {
    this.#log.info("Received the tenant's key share");
    this.#proceed(this.#shares.addTenantShare(share));
  }

  /** As {@linkcode KeyReceiver.acceptVerifierShare} says. */
  acceptVerifierShare(share: Secret): void {
    this.#log.info("Received the verifier's key share");
    this.#proceed(this.#shares.addVerifierShare(share));
  }

  /** As {@linkcode KeyReceiver.prove} says. */
  prove(challenge: string): string | undefined {
    return this.#shares.prove(challenge);
  }

  /** Resolves when no payload waits and no script runs. */
  idle(): Promise<void> {
    return this.#delivery.idle();
  }

  /** Ends the script, and resolves when all work has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#delivery[Symbol.asyncDispose]();
  }

  #proceed(combined: CombinedKey | undefined): void {
    if (combined === undefined) {
      if (this.#shares.isMismatched) {
        this.#log.warn(
          "No share of the tenant's belongs to one of the verifier's; waiting " +
            "for the right one",
        );
      }
      return;
    }
    const { key, payload } = combined;
    if (payload === undefined) {
      this.#log.info("Both key shares combined to a key without a payload");
      key.wipe();
      return;
    }
    this.#log.info("Both key shares combined to the key of a payload");
    this.#delivery.enqueue({ key, payload });
  }
}
