import { CodecError } from "./error.ts";

/** A growing buffer of big-endian bytes that refuses what does not fit. */
export class Writer {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(256);
  #view: DataView = new DataView(this.#bytes.buffer);
  #length = 0;

  /** How many bytes were written. */
  get length(): number {
    return this.#length;
  }

  /** Makes room for `count` bytes and returns the offset where they go. */
  #grow(count: number): number {
    const at = this.#length;
    const wanted = at + count;
    if (wanted > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(wanted, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#length = wanted;
    return at;
  }

  #integer(value: number, max: number): number {
    if (!Number.isInteger(value) || value < 0 || value > max) {
      throw new CodecError(`${value} is not in 0..${max}`, this.#length);
    }
    return value;
  }

  /** Appends one byte. */
  u8(value: number): void {
    const checked = this.#integer(value, 0xff);
    const at = this.#grow(1);
    this.#view.setUint8(at, checked);
  }

  /** Appends two bytes, big-endian. */
  u16(value: number): void {
    const checked = this.#integer(value, 0xffff);
    const at = this.#grow(2);
    this.#view.setUint16(at, checked);
  }

  /** Appends four bytes, big-endian. */
  u32(value: number): void {
    const checked = this.#integer(value, 0xffff_ffff);
    const at = this.#grow(4);
    this.#view.setUint32(at, checked);
  }

  /** Appends eight bytes, big-endian. */
  u64(value: bigint): void {
    if (value < 0n || value > 0xffff_ffff_ffff_ffffn) {
      throw new CodecError(`${value} is not a UINT64`, this.#length);
    }
    const at = this.#grow(8);
    this.#view.setBigUint64(at, value);
  }

  /** Appends `bytes` as they are. */
  put(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /**
   * Appends what `body` writes, after its length as a UINT16 (or a UINT32,
   * for `width` 4) that does not count itself.
   */
  prefixed(body: (writer: Writer) => void, width: 2 | 4 = 2): void {
    const at = this.#grow(width);
    body(this);
    const size = this.#length - at - width;
    if (width === 2) this.#view.setUint16(at, this.#integer(size, 0xffff));
    else this.#view.setUint32(at, size);
  }

  /** A copy of everything written. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }
}
