/**
 * Binding the API's address, with an administrator's words when it fails.
 *
 * @module
 */

import type { Server } from "node:net";

/** Connections that the kernel holds before they are accepted, as upstream has it. */
const BACKLOG = 1024;

/** An address to listen on; port 0 takes a free one. */
export interface ListenAddress {
  /** IPv4 or IPv6 address without brackets, or host name: option `ip`. */
  readonly ip: string;
  /** TCP port: option `port`. */
  readonly port: number;
}

const NO_ADDRESS = "this machine has no such address; change option ip";

/** What to do about the failures that administrators meet, by errno name. */
const REMEDIES: Readonly<Record<string, string>> = {
  EADDRINUSE:
    "another process uses it; stop that one (a second agent?) or change option port",
  EACCES:
    "not permitted; choose a port above 1023 in option port, or grant CAP_NET_BIND_SERVICE",
  EADDRNOTAVAIL: NO_ADDRESS,
  // What Deno 2.9.6 makes of EADDRNOTAVAIL.
  EINVAL: NO_ADDRESS,
  ENOTFOUND: "the name does not resolve; change option ip",
};

/**
 * Makes `server` listen, and returns its port.
 *
 * @throws {Error} naming the address, and the option to change where known
 */
export async function listenOn(
  server: Server,
  { ip, port }: ListenAddress,
): Promise<number> {
  const failed = Promise.withResolvers<void>();
  server.once("error", failed.reject);
  server.listen({ host: ip, port, backlog: BACKLOG }, failed.resolve);
  try {
    await failed.promise;
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : "";
    const remedy = REMEDIES[String(code)];
    const address = ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
    throw new Error(
      `Cannot listen on ${address}${remedy === undefined ? "" : `: ${remedy}`}`,
      { cause },
    );
  }
  server.off("error", failed.reject);
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}
