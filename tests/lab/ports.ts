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
  for (let attempt = 0; attempt < 1000; attempt++) {
    const first = LOWEST +
      Math.floor(Math.random() * (HIGHEST - LOWEST - count));
    if (areFree(first, count)) return first;
  }
  throw new Error(`Found no ${count} free neighbouring ports on 127.0.0.1`);
}

function areFree(first: number, count: number): boolean {
  using probes = new DisposableStack();
  try {
    for (let port = first; port < first + count; port++) {
      const listener = Deno.listen({ hostname: "127.0.0.1", port });
      probes.defer(() => listener.close());
    }
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}
