/**
 * The C library, for the few things of a process that Deno has no API for.
 *
 * @module
 */

/** Its names: glibc's, then musl's. */
const NAMES = ["libc.so.6", "libc.so", "/lib/ld-musl-x86_64.so.1"];

/**
 * The C library with the functions that `symbols` declares.
 *
 * @throws Error if it cannot be loaded
 */
export function openLibc<const S extends Deno.ForeignLibraryInterface>(
  symbols: S,
): Deno.DynamicLibrary<S> & Disposable {
  for (const name of NAMES) {
    try {
      const library = Deno.dlopen(name, symbols);
      return Object.assign(library, {
        [Symbol.dispose]: () => library.close(),
      });
    } catch {
      continue;
    }
  }
  throw new Error(`None of ${NAMES.join(", ")} can be loaded`);
}
