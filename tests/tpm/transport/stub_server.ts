/**
 * A server on a Unix socket that answers what it is told, for what no TPM
 * would do.
 *
 * @module
 */

/** A listening {@linkcode stubServer}. */
export interface StubServer extends AsyncDisposable {
  /** Its socket. */
  readonly path: string;
}

/**
 * Takes one connection on the socket `path`, and answers the first bytes that
 * come with `pieces`, each in a write of its own, before it hangs up.
 */
export function stubServer(
  path: string,
  pieces: readonly Uint8Array[],
): StubServer {
  const listener = Deno.listen({ transport: "unix", path });
  const served = (async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(4096));
    for (const piece of pieces) {
      await connection.write(piece);
      // Lets the client see each piece alone.
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  return {
    path,
    async [Symbol.asyncDispose](): Promise<void> {
      await served;
      listener.close();
    },
  };
}
