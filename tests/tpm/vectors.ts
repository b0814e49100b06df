/**
 * Test vectors in `tests/fixtures/tpm/credentials/`.
 *
 * @module
 */

const DIRECTORY = new URL("../fixtures/tpm/credentials/", import.meta.url);

/** The vectors in `file`, which must be a list of `T`. */
export function vectors<T>(file: string): readonly T[] {
  const list: unknown = JSON.parse(
    Deno.readTextFileSync(new URL(file, DIRECTORY)),
  );
  if (!Array.isArray(list)) throw new TypeError(`"${file}" is not a list`);
  return list;
}

/** The bytes of `file`. */
export function vectorBytes(file: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(file, DIRECTORY));
}
