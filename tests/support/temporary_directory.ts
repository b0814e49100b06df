/**
 * A place for the files of one test.
 *
 * @module
 */

/** A fresh directory that is removed at the end of its scope. */
export async function temporaryDirectory(): Promise<
  AsyncDisposable & { readonly path: string }
> {
  const path = await Deno.makeTempDir();
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}
