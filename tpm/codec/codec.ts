/**
 * What a codec is: one value that reads, writes and names a wire format. The
 * TypeScript type of a structure is derived from its codec and is never
 * written a second time.
 *
 * @module
 */

import { within } from "./error.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

/** Reads and writes values of `T`. */
export interface Codec<T> {
  /** The TCG name, for error messages. */
  readonly name: string;
  /** Appends `value`; throws CodecError if the format cannot carry it. */
  readonly write: (writer: Writer, value: T) => void;
  /** Reads one value; throws CodecError on anything but a valid encoding. */
  readonly read: (reader: Reader) => T;
}

/**
 * Every codec, whatever it carries: the upper bound that `Codec<unknown>`
 * cannot be, because a codec both takes and gives its value.
 */
export interface SomeCodec {
  /** As in {@linkcode Codec}. */
  readonly name: string;
  /** As in {@linkcode Codec}. */
  readonly write: (writer: Writer, value: never) => void;
  /** As in {@linkcode Codec}. */
  readonly read: (reader: Reader) => unknown;
}

/** The type of the values that a codec carries. */
export type TypeOf<C extends SomeCodec> = ReturnType<C["read"]>;

/** The value that `bytes`, all of them, encode. Throws CodecError. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const reader = new Reader(bytes);
  try {
    const value = codec.read(reader);
    reader.expectEnd();
    return value;
  } catch (error) {
    throw within(error, codec.name);
  }
}

/** The encoding of `value`. Throws CodecError if the format cannot carry it. */
export function encode<T>(
  codec: Codec<T>,
  value: NoInfer<T>,
): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  try {
    codec.write(writer, value);
  } catch (error) {
    throw within(error, codec.name);
  }
  return writer.finish();
}
