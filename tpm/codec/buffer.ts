import type { Codec } from "./codec.ts";
import { CodecError, within } from "./error.ts";

/** Bytes as codecs give and take them. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** A codec of a TPM2B type: a UINT16 size, then that many bytes. */
export interface SizedCodec<T> extends Codec<T> {
  /** Sessions can encrypt a first parameter of such a type. */
  readonly isSized: true;
}

/** A TPM2B of plain bytes, at most `max` of them. */
export function buffer(name: string, max: number): SizedCodec<Bytes> {
  const check = (size: number, at: number): void => {
    if (size > max) {
      throw new CodecError(`${size} bytes exceed the maximum of ${max}`, at);
    }
  };
  return {
    name,
    isSized: true,
    write(writer, value) {
      check(value.length, writer.length);
      writer.u16(value.length);
      writer.put(value);
    },
    read(reader) {
      const at = reader.offset;
      const size = reader.u16();
      check(size, at);
      return reader.take(size);
    },
  };
}

/** A UINT8 size, then that many bytes, at most `max`. */
export function shortBuffer(name: string, max: number): Codec<Bytes> {
  return {
    name,
    write(writer, value) {
      if (value.length > max) {
        throw new CodecError(
          `${value.length} bytes exceed the maximum of ${max}`,
          writer.length,
        );
      }
      writer.u8(value.length);
      writer.put(value);
    },
    read(reader) {
      const at = reader.offset;
      const size = reader.u8();
      if (size > max) {
        throw new CodecError(`${size} bytes exceed the maximum of ${max}`, at);
      }
      return reader.take(size);
    },
  };
}

/** Exactly `size` bytes, without a length before them. */
export function fixed(name: string, size: number): Codec<Bytes> {
  return {
    name,
    write(writer, value) {
      if (value.length !== size) {
        throw new CodecError(
          `${value.length} bytes are given, ${name} has ${size}`,
          writer.length,
        );
      }
      writer.put(value);
    },
    read: (reader) => reader.take(size),
  };
}

/** A TPM2B around a structure, which must fill it exactly. */
export function sized<T>(name: string, inner: Codec<T>): SizedCodec<T> {
  return {
    name,
    isSized: true,
    write: (writer, value) => writer.prefixed((w) => inner.write(w, value)),
    read(reader) {
      const window = reader.window(reader.u16());
      const value = inner.read(window);
      window.expectEnd();
      return value;
    },
  };
}

/** A TPM2B around a structure, where size zero stands for no structure. */
export function optionalSized<T>(
  name: string,
  inner: Codec<T>,
): SizedCodec<T | undefined> {
  return {
    name,
    isSized: true,
    write: (writer, value) =>
      writer.prefixed((w) => {
        if (value !== undefined) inner.write(w, value);
      }),
    read(reader) {
      const window = reader.window(reader.u16());
      if (window.remaining === 0) return undefined;
      const value = inner.read(window);
      window.expectEnd();
      return value;
    },
  };
}

/** A TPML: a UINT32 count, then that many elements, at most `max`. */
export function list<T>(
  name: string,
  element: Codec<T>,
  max: number,
): Codec<readonly T[]> {
  const check = (count: number, at: number): void => {
    if (count > max) {
      throw new CodecError(`${count} entries exceed the maximum of ${max}`, at);
    }
  };
  return {
    name,
    write(writer, values) {
      check(values.length, writer.length);
      writer.u32(values.length);
      values.forEach((value, index) => {
        try {
          element.write(writer, value);
        } catch (error) {
          throw within(error, index);
        }
      });
    },
    read(reader) {
      const at = reader.offset;
      const count = reader.u32();
      check(count, at);
      const values: T[] = [];
      for (let index = 0; index < count; index++) {
        try {
          values.push(element.read(reader));
        } catch (error) {
          throw within(error, index);
        }
      }
      return values;
    },
  };
}
