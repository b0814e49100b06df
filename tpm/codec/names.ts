import type { Codec } from "./codec.ts";
import { CodecError } from "./error.ts";

/** A table of the names that a TCG constant type knows, and their numbers. */
export type NameTable = { readonly [name: string]: number };

/** A codec over the names of `T`, and the table itself. */
export interface NamesCodec<N extends string> extends Codec<N> {
  /** The number of each name. */
  readonly numbers: { readonly [K in N]: number };
}

/**
 * A closed set of named numbers: values are the names. A number without a
 * name, or a name without a number, is refused.
 */
export function names<const T extends NameTable>(
  name: string,
  width: Codec<number>,
  table: T,
): NamesCodec<keyof T & string> {
  const known = new Map(
    Object.entries(table).map(([key, number]) => [number, key]),
  );
  return {
    name,
    numbers: table,
    write(writer, value) {
      const number = table[value];
      if (number === undefined) {
        throw new CodecError(`"${value}" is not a ${name}`, writer.length);
      }
      width.write(writer, number);
    },
    read(reader) {
      const at = reader.offset;
      const number = width.read(reader);
      const key = known.get(number);
      if (key === undefined) {
        throw new CodecError(
          `0x${number.toString(16)} is not a known ${name}`,
          at,
        );
      }
      return key;
    },
  };
}

/** Some of the names of `base`, as the specification's TPMI_ types choose. */
export function subset<N extends string, const S extends N>(
  name: string,
  base: NamesCodec<N>,
  allowed: readonly S[],
): NamesCodec<S> {
  const isAllowed = (value: string): value is S =>
    allowed.some((known) => known === value);
  const refuse = (value: string, at: number): CodecError =>
    new CodecError(`"${value}" is not a ${name}`, at);
  return {
    name,
    numbers: base.numbers,
    write(writer, value) {
      if (!isAllowed(value)) throw refuse(value, writer.length);
      base.write(writer, value);
    },
    read(reader) {
      const at = reader.offset;
      const value = base.read(reader);
      if (!isAllowed(value)) throw refuse(value, at);
      return value;
    },
  };
}

/**
 * The names of `base`, and the bare number where there is none: for lists in
 * which a TPM may report what is newer than this program.
 */
export function openNames<N extends string>(
  base: NamesCodec<N>,
  width: Codec<number>,
): Codec<N | number> {
  const known = new Map(
    Object.entries<number>(base.numbers).map((
      [key, number],
    ) => [number, key as N]),
  );
  return {
    name: base.name,
    write: (writer, value) =>
      typeof value === "number"
        ? width.write(writer, value)
        : base.write(writer, value),
    read(reader) {
      const number = width.read(reader);
      return known.get(number) ?? number;
    },
  };
}
