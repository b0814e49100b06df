import type { Codec } from "./codec.ts";
import { CodecError } from "./error.ts";

/** UINT8 (BYTE). TPM 2.0 Part 2, "Primitive Types". */
export const u8: Codec<number> = {
  name: "UINT8",
  write: (writer, value) => writer.u8(value),
  read: (reader) => reader.u8(),
};

/** UINT16. TPM 2.0 Part 2, "Primitive Types". */
export const u16: Codec<number> = {
  name: "UINT16",
  write: (writer, value) => writer.u16(value),
  read: (reader) => reader.u16(),
};

/** UINT32. TPM 2.0 Part 2, "Primitive Types". */
export const u32: Codec<number> = {
  name: "UINT32",
  write: (writer, value) => writer.u32(value),
  read: (reader) => reader.u32(),
};

/** UINT64. TPM 2.0 Part 2, "Primitive Types". */
export const u64: Codec<bigint> = {
  name: "UINT64",
  write: (writer, value) => writer.u64(value),
  read: (reader) => reader.u64(),
};

/** INT32, in two's complement. TPM 2.0 Part 2, "Primitive Types". */
export const i32: Codec<number> = {
  name: "INT32",
  write(writer, value) {
    if (!Number.isInteger(value) || value < -(2 ** 31) || value >= 2 ** 31) {
      throw new CodecError(`${value} is not an INT32`, writer.length);
    }
    writer.u32(value < 0 ? value + 2 ** 32 : value);
  },
  read(reader) {
    const raw = reader.u32();
    return raw < 2 ** 31 ? raw : raw - 2 ** 32;
  },
};

/** TPMI_YES_NO: 0 or 1 and nothing else. TPM 2.0 Part 2. */
export const yesNo: Codec<boolean> = {
  name: "TPMI_YES_NO",
  write: (writer, value) => writer.u8(value ? 1 : 0),
  read(reader) {
    const at = reader.offset;
    const raw = reader.u8();
    if (raw > 1) throw new CodecError(`${raw} is neither NO nor YES`, at);
    return raw === 1;
  },
};

/** A field that always holds `value`; anything else is refused on reading. */
export function constant<const V extends number>(
  width: Codec<number>,
  value: V,
): Codec<V> {
  return {
    name: width.name,
    write: (writer) => width.write(writer, value),
    read(reader) {
      const at = reader.offset;
      const raw = width.read(reader);
      if (raw !== value) {
        throw new CodecError(
          `0x${raw.toString(16)} stands where only 0x${value.toString(16)} may`,
          at,
        );
      }
      return value;
    },
  };
}
