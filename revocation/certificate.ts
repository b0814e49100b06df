/**
 * The certificate that revocation messages are checked with, and when it is
 * read (contract section 9.1).
 *
 * @module
 */

import type { KeyObject } from "node:crypto";
import { describe, type Log } from "../log/log.ts";
import { RevocationError } from "./error.ts";
import { revocationKey } from "./signature.ts";

/** Largest file that can be a certificate. */
const FILE_LIMIT = 1_048_576;

/** The file that option `revocation_cert` names. */
export class RevocationCertificate {
  readonly #path: string;
  readonly #log: Log;
  #pem: string | undefined;
  #key: KeyObject | undefined;

  private constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /**
   * The certificate at `path`, read if it is there already. Upstream reads it
   * only after a payload, so that one which the administrator installed, or
   * one which an earlier start left, would not count.
   */
  static async open(path: string, log: Log): Promise<RevocationCertificate> {
    const certificate = new RevocationCertificate(path, log);
    await certificate.reload();
    return certificate;
  }

  /**
   * The key in it.
   *
   * @throws {RevocationError} when no certificate could be read so far
   */
  get key(): KeyObject {
    if (this.#key !== undefined) return this.#key;
    throw new RevocationError(
      "certificate",
      `There is no revocation certificate at "${this.#path}" yet; ` +
        "it comes with a payload that the tenant delivers with --cert, " +
        'or option "revocation_cert" names one',
    );
  }

  /**
   * Reads the file anew. While it is missing, which is normal before the first
   * payload, the last certificate stays; an unusable one leaves none.
   */
  async reload(): Promise<void> {
    try {
      const pem = await contentOf(this.#path);
      if (pem === undefined) {
        this.#log.debug(`No revocation certificate at "${this.#path}" yet`);
        return;
      }
      if (pem === this.#pem) return;
      this.#key = revocationKey(pem);
      this.#pem = pem;
      this.#log.info(`Loaded the revocation certificate "${this.#path}"`);
    } catch (error) {
      this.#key = this.#pem = undefined;
      this.#log.error(
        `Cannot use the revocation certificate "${this.#path}", ` +
          `so every revocation will be dropped: ${describe(error)}`,
      );
    }
  }
}

async function contentOf(path: string): Promise<string | undefined> {
  try {
    const { isFile, size } = await Deno.stat(path);
    if (!isFile || size > FILE_LIMIT) {
      throw new RevocationError(
        "certificate",
        `Expected a regular file of at most ${FILE_LIMIT} bytes`,
      );
    }
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
