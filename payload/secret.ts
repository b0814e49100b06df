/**
 * Bytes that must not end up in a log.
 *
 * @module
 */

const REDACTED = "[secret]";

/**
 * A secret of the tenant's: a key or a share of one. Every way of printing it
 * gives the same word. Wiping is best effort: the runtime may have copied the
 * bytes while it moved or decrypted them.
 */
export class Secret {
  readonly #bytes: Uint8Array<ArrayBuffer>;

  /** Takes `bytes` over: they are wiped with the secret. */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
  }

  /** Number of bytes. */
  get length(): number {
    return this.#bytes.length;
  }

  /** What `work` makes of the bytes, which it must not keep. */
  use<T>(work: (bytes: Uint8Array<ArrayBuffer>) => T): T {
    return work(this.#bytes);
  }

  /** A secret of its own that {@linkcode wipe} here does not reach. */
  copy(): Secret {
    return new Secret(this.#bytes.slice());
  }

  /** Makes all bytes zero. */
  wipe(): void {
    this.#bytes.fill(0);
  }

  /** Always the same word. */
  toString(): string {
    return REDACTED;
  }

  /** Always the same word. */
  toJSON(): string {
    return REDACTED;
  }

  /** Always the same word, for `console` and friends. */
  [Symbol.for("Deno.customInspect")](): string {
    return REDACTED;
  }

  /** Always the same word, for `node:util`. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return REDACTED;
  }
}
