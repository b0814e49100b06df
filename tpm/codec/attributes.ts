import type { Codec } from "./codec.ts";
import { CodecError } from "./error.ts";

/**
 * Flags that are SET; an absent flag is CLEAR. Bits without a name are kept in
 * `reserved`, because a Name is a hash over all of them.
 */
export type Attributes<B extends { readonly [flag: string]: number }> =
  & { readonly [K in keyof B]?: true }
  & { readonly reserved?: number };

/** An attribute word; `bits` gives the bit number of each flag. */
export function attributes<const B extends { readonly [flag: string]: number }>(
  name: string,
  width: Codec<number>,
  bits: B,
): Codec<Attributes<B>> {
  const entries = Object.entries(bits);
  const named = entries.reduce((sum, [, bit]) => sum + 2 ** bit, 0);
  const overlap = (a: number, b: number): boolean =>
    (BigInt(a) & BigInt(b)) !== 0n;
  return {
    name,
    write(writer, value) {
      const flags: { readonly [flag: string]: unknown } = value;
      let raw = value.reserved ?? 0;
      if (overlap(raw, named)) {
        throw new CodecError(
          "reserved bits overlap named flags",
          writer.length,
        );
      }
      for (const [flag, bit] of entries) {
        if (flags[flag] === true) raw += 2 ** bit;
      }
      width.write(writer, raw);
    },
    read(reader) {
      let raw = width.read(reader);
      const flags: { [flag: string]: true | number } = {};
      for (const [flag, bit] of entries) {
        if (Math.floor(raw / 2 ** bit) % 2 === 1) {
          flags[flag] = true;
          raw -= 2 ** bit;
        }
      }
      if (raw !== 0) flags["reserved"] = raw;
      return flags as Attributes<B>;
    },
  };
}
