import { CodecError } from "./error.ts";

/**
 * A bounded cursor over big-endian bytes. Every read checks its bound first,
 * so short input is a {@linkcode CodecError} and never a zero.
 */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  #position: number;

  /** Reads `bytes` from `start` up to, and not including, `end`. */
  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#position = start;
    this.#end = end;
  }

  /** Offset of the next byte, from the start of the whole encoding. */
  get offset(): number {
    return this.#position;
  }

  /** How many bytes are left. */
  get remaining(): number {
    return this.#end - this.#position;
  }

  #advance(count: number): number {
    const at = this.#position;
    if (this.#end - at < count) {
      throw new CodecError(
        `${count} bytes are needed, ${this.#end - at} are left`,
        at,
      );
    }
    this.#position = at + count;
    return at;
  }

  /** The next byte. */
  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  /** The next two bytes, big-endian. */
  u16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  /** The next four bytes, big-endian. */
  u32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  /** The next eight bytes, big-endian. */
  u64(): bigint {
    return this.#view.getBigUint64(this.#advance(8));
  }

  /** A copy of the next `count` bytes. */
  take(count: number): Uint8Array<ArrayBuffer> {
    const at = this.#advance(count);
    return this.#bytes.slice(at, at + count) as Uint8Array<ArrayBuffer>;
  }

  /** A reader of just the next `count` bytes, which this one skips. */
  window(count: number): Reader {
    const at = this.#advance(count);
    return new Reader(this.#bytes, at, at + count);
  }

  /** Throws unless every byte was read. */
  expectEnd(): void {
    if (this.remaining !== 0) {
      throw new CodecError(
        `${this.remaining} bytes are left over`,
        this.offset,
      );
    }
  }
}
