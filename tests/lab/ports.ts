/**
 * Free TCP ports of the loopback interface.
 *
 * @module
 */

/** Below Linux's range for outgoing connections, which would take them. */
const LOWEST = 12_000;
const HIGHEST = 32_000;

/**
 * The first of `count` neighbouring ports of 127.0.0.1 that nobody listens on
 * now. Chosen at random, so that parallel tests rarely meet; whoever uses them
 * has to try again when somebody was faster.
 */
export function freePorts(count = 1): number {
  const listeners = listenOnNeighbours(count);
  for (const listener of listeners) listener.close();
  return listeners[0]?.addr.port ?? NaN;
}

/** Listens on `count` neighbouring ports of 127.0.0.1, which nobody had. */
export function listenOnNeighbours(count: number): Deno.TcpListener[] {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const first = LOWEST +
      Math.floor(Math.random() * (HIGHEST - LOWEST - count));
    const listeners = listenFrom(first, count);
    if (listeners !== undefined) return listeners;
  }
  throw new Error(`Found no ${count} free neighbouring ports on 127.0.0.1`);
}

function listenFrom(
  first: number,
  count: number,
): Deno.TcpListener[] | undefined {
  using opened = new DisposableStack();
  const listeners: Deno.TcpListener[] = [];
  try {
    for (let port = first; port < first + count; port++) {
      const listener = Deno.listen({ hostname: "127.0.0.1", port });
      opened.defer(() => listener.close());
      listeners.push(listener);
    }
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return undefined;
    throw error;
  }
  opened.move();
  return listeners;
}
