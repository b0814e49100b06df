/**
 * What becomes of a connection that fails before the API sees a request.
 *
 * @module
 */

import { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { describe, type Log } from "../log/log.ts";
import type { Connections } from "./connections.ts";
import { envelopeText } from "./envelope.ts";

const REQUEST_TIMEOUT = "ERR_HTTP_REQUEST_TIMEOUT";

/**
 * Handles `clientError` of node's server. Only a fault that the HTTP parser
 * found is answered: it proves that the TLS handshake, and with it the check
 * of the client's certificate, is over. Everyone else is cut off wordlessly.
 */
export function refuseClient(
  error: Error & { readonly code?: unknown },
  socket: Socket,
  { connections, log }: {
    readonly connections: Connections;
    readonly log: Log;
  },
): void {
  const code = typeof error.code === "string" ? error.code : "";
  if (code !== REQUEST_TIMEOUT && !code.startsWith("HPE_")) {
    logRefusal(error, socket, log);
    socket.destroy();
    return;
  }
  const reason = code === REQUEST_TIMEOUT
    ? "the request took too long to arrive"
    : describe(error);
  log.warn(`Client ${peerName(socket)} sent no valid request: ${reason}`);
  // Bytes in the midst of another answer would only corrupt it.
  if (!socket.writable || connections.hasBegunAnswer(socket)) {
    socket.destroy();
  } else if (code === REQUEST_TIMEOUT) {
    endWith(socket, { code: 408, phrase: "Request Timeout" });
  } else {
    endWith(socket, { code: 400, phrase: "Bad Request" });
  }
}

/** Refuses a CONNECT, which node never hands to the API. */
export function refuseConnect(socket: Socket): void {
  endWith(socket, {
    code: 405,
    phrase: "Method Not Allowed",
    status: "Method is not supported",
    headers: ["Allow: GET, POST"],
  });
}

function logRefusal(
  error: Error & { readonly code?: unknown },
  socket: Socket,
  log: Log,
): void {
  const peer = peerName(socket);
  // Set once the client's certificate was looked at; a code, whatever its type says.
  const verdict: unknown = socket instanceof TLSSocket
    ? socket.authorizationError
    : undefined;
  if (typeof verdict === "string") {
    log.warn(
      `Client ${peer} refused: its certificate is not valid or not from a CA in option trusted_client_ca (${verdict})`,
    );
  } else if (error.code === "ECONNRESET") {
    // A port probe or health check that just leaves.
    log.debug(`Client ${peer} left before its TLS handshake was done`);
  } else {
    log.warn(`Client ${peer} refused: ${describe(error)}`);
  }
}

/**
 * Address and port of the client. After a failed handshake Deno no longer has
 * them on the TLS socket, only on the TCP socket that node keeps below it.
 */
function peerName(socket: Socket): string {
  const below: unknown = Reflect.get(socket, "_parent");
  const { remoteAddress, remotePort } = below instanceof Socket
    ? below
    : socket;
  return `${remoteAddress ?? "unknown address"}:${remotePort ?? "?"}`;
}

function endWith(
  socket: Socket,
  { code, phrase, status = phrase, headers = [] }: {
    readonly code: number;
    readonly phrase: string;
    readonly status?: string;
    readonly headers?: readonly string[];
  },
): void {
  const body = envelopeText(code, status, {});
  const answer = [
    `HTTP/1.1 ${code} ${phrase}`,
    ...headers,
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
    "Connection: close",
    "",
    body,
  ].join("\r\n");
  socket.end(answer, () => socket.destroy());
}
