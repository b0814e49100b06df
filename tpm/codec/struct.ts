import type { Codec, SomeCodec, TypeOf } from "./codec.ts";
import { CodecError, within } from "./error.ts";
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

/** The fields of a structure in wire order. */
export type Fields = { readonly [field: string]: SomeCodec };

/** The value that {@linkcode Fields} carry. */
export type Values<F extends Fields> = {
  readonly [K in keyof F]: TypeOf<F[K]>;
};

type Entries = readonly (readonly [string, SomeCodec])[];

function writeFields(
  writer: Writer,
  entries: Entries,
  value: { readonly [field: string]: unknown },
): void {
  for (const [field, codec] of entries) {
    try {
      codec.write(writer, value[field] as never);
    } catch (error) {
      throw within(error, field);
    }
  }
}

function readFields(
  reader: Reader,
  entries: Entries,
  into: { [field: string]: unknown },
): void {
  for (const [field, codec] of entries) {
    try {
      into[field] = codec.read(reader);
    } catch (error) {
      throw within(error, field);
    }
  }
}

/** A structure: its fields, one after the other. */
export function struct<const F extends Fields>(
  name: string,
  fields: F,
): Codec<Values<F>> {
  const entries = Object.entries(fields);
  return {
    name,
    write: (writer, value) => writeFields(writer, entries, value),
    read(reader) {
      const value: { [field: string]: unknown } = {};
      readFields(reader, entries, value);
      return value as Values<F>;
    },
  };
}

/** An intersection as one object type, for readable messages and hovers. */
export type Flat<T> = { [K in keyof T]: T[K] };

/**
 * The value of a {@linkcode tagged} structure: one member per arm, with the
 * selector narrowed to that arm and the arm's fields beside the common ones.
 */
export type Tagged<F extends Fields, On extends keyof F, A> = {
  [S in keyof A]: A[S] extends Fields ? Flat<
      & Values<Omit<F, On>>
      & { readonly [K in On]: S }
      & Values<A[S]>
    >
    : never;
}[keyof A];

/**
 * A structure whose last fields depend on the value of one of its own fields,
 * as a TPMT with its TPMU.
 */
export function tagged<
  const F extends Fields,
  const On extends keyof F & string,
  const A extends { readonly [S in TypeOf<F[On]> & string]?: Fields },
>(
  name: string,
  spec: {
    readonly fields: F;
    readonly on: On;
    readonly arms:
      & A
      & { readonly [S in Exclude<keyof A, TypeOf<F[On]>>]: never };
  },
): Codec<Tagged<F, On, A>> {
  const common = Object.entries(spec.fields);
  const arms = new Map(
    Object.entries<Fields>(spec.arms as { readonly [arm: string]: Fields })
      .map(([arm, fields]) => [arm, Object.entries(fields)]),
  );
  const armOf = (selector: unknown, at: number): Entries => {
    const arm = arms.get(String(selector));
    if (arm === undefined) {
      throw new CodecError(`${name} has no member for "${selector}"`, at, [
        spec.on,
      ]);
    }
    return arm;
  };
  return {
    name,
    write(writer, value) {
      const record = value as { readonly [field: string]: unknown };
      const arm = armOf(record[spec.on], writer.length);
      writeFields(writer, common, record);
      writeFields(writer, arm, record);
    },
    read(reader) {
      const value: { [field: string]: unknown } = {};
      readFields(reader, common, value);
      readFields(reader, armOf(value[spec.on], reader.offset), value);
      return value as Tagged<F, On, A>;
    },
  };
}
