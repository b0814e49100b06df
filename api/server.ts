/**
 * The socket side of the API: HTTP/1.1 over mutual TLS, and the limits that
 * keep one client from taking the agent away from the others (contract section
 * 6; CVE-2023-38200 was one idle connection that blocked a registrar).
 *
 * @module
 */

import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import {
  createServer as createTcpServer,
  type Server,
  type Socket,
} from "node:net";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { describe, type Log, quoted } from "../log/log.ts";
import { refuseClient, refuseConnect } from "./client_error.ts";
import { Connections } from "./connections.ts";
import { envelopeText } from "./envelope.ts";
import { answerTo, ApiError } from "./errors.ts";
import { type ListenAddress, listenOn } from "./listening.ts";
import { takeBody } from "./request_body.ts";
import { assertUsable, type MutualTls } from "./tls.ts";

/** How the server meets its clients. Plain text is chosen, never a fallback. */
export type Transport =
  | ({ readonly kind: "mtls" } & MutualTls)
  | { readonly kind: "plaintext" };

/** Bounds on what a client may take; times in milliseconds. */
export interface ServerLimits {
  /** Open connections; more are closed at once. */
  readonly connections: number;
  /** For the TLS handshake. */
  readonly handshake: number;
  /** For the head of a request, from its connection or first byte on. */
  readonly head: number;
  /** For a whole request. */
  readonly request: number;
  /** Between an answer and the next request; the server adds up to a second. */
  readonly idle: number;
  /** Without a byte in either direction, whatever goes on. */
  readonly silence: number;
  /** For the answers under way when the server closes. */
  readonly drain: number;
}

/** What {@linkcode startServer} needs. */
export interface ServerOptions {
  /** The API: what `createApp()` gives. */
  readonly app: {
    readonly fetch: (
      request: Request,
      env: Partial<HttpBindings>,
    ) => Response | Promise<Response>;
  };
  /** Where to listen. */
  readonly listen: ListenAddress;
  /** Who may connect, and how. */
  readonly tls: Transport;
  /** Refused clients go here at warn. */
  readonly log: Log;
  /** Bounds other than the usual ones. */
  readonly limits?: Partial<ServerLimits>;
}

/** A server that listens. */
export interface RunningServer {
  /** The port it listens on. */
  readonly port: number;
  /** Accepts nothing more, lets answers under way finish, then resolves. */
  readonly close: () => Promise<void>;
}

/** Head and idle times are upstream's (contract section 5.1). */
const LIMITS: ServerLimits = {
  connections: 256,
  handshake: 5_000,
  head: 5_000,
  request: 30_000,
  idle: 5_000,
  silence: 120_000,
  drain: 30_000,
};

/**
 * Serves `app`.
 *
 * With mutual TLS a client without a certificate from one of the trusted CAs
 * gets no byte of an answer. With no trusted CA nobody gets one: each
 * connection is closed at once, for TLS libraries tend to read an empty list
 * as "the usual public ones".
 *
 * @throws {Error} if the key, a certificate or the address cannot be used; the
 * message names the option to look at
 */
export async function startServer(
  { app, listen, tls, log, limits: changed }: ServerOptions,
): Promise<RunningServer> {
  const limits = { ...LIMITS, ...changed };
  const connections = new Connections();
  const server = createServer(
    tls,
    limits,
    answering(app, { connections, log }),
  );
  server.maxConnections = limits.connections;
  server.on("connection", (socket: Socket) => connections.add(socket));
  server.on(
    "clientError",
    (error: Error, socket: Socket) =>
      refuseClient(error, socket, { connections, log }),
  );
  server.on(
    "connect",
    (_: IncomingMessage, socket: Socket) => refuseConnect(socket),
  );
  const port = await listenOn(server, listen);
  server.on("error", (error: Error) => {
    log.error(`The API's listening socket failed: ${describe(error)}`);
  });
  let closed: Promise<void> | undefined;
  return {
    port,
    close: () => closed ??= close(server, connections, limits.drain),
  };
}

type RequestHandler = (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
) => Promise<void>;

function createServer(
  tls: Transport,
  limits: ServerLimits,
  handler: RequestHandler,
): Server {
  const options = {
    headersTimeout: limits.head,
    requestTimeout: limits.request,
    keepAliveTimeout: limits.idle,
    connectionsCheckingInterval: Math.min(limits.head, 1_000),
  };
  if (tls.kind === "plaintext") {
    return createHttpServer(options, handler).setTimeout(limits.silence);
  }
  assertUsable(tls);
  if (tls.trustedCa.length === 0) {
    return createTcpServer((socket) => socket.destroy());
  }
  return createHttpsServer({
    ...options,
    key: tls.key,
    cert: tls.certificate,
    ca: [...tls.trustedCa],
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
    handshakeTimeout: limits.handshake,
  }, handler).setTimeout(limits.silence);
}

/** Node's request handler around `app`. */
function answering(
  app: ServerOptions["app"],
  { connections, log }: {
    readonly connections: Connections;
    readonly log: Log;
  },
): RequestHandler {
  const respond = getRequestListener(
    (request, env) => app.fetch(request, env as HttpBindings),
    {
      // Hono must not swap the whole process's Request and Response.
      overrideGlobalObjects: false,
      // takeBody() has been there.
      autoCleanupIncoming: false,
      // For HTTP/1.0, which needs no Host header; nothing looks at it.
      hostname: "localhost",
      errorHandler: (error) => {
        log.warn(`Request refused: ${quoted(describe(error))}`);
        return answerTo(new ApiError(400, "Bad Request"));
      },
    },
  );
  return async (incoming, outgoing) => {
    connections.answering(incoming, outgoing);
    const outcome = await takeBody(incoming);
    if (outcome === "aborted") return;
    if (outcome !== "taken") outgoing.shouldKeepAlive = false;
    if (outcome === "endless") {
      const body = envelopeText(400, "Request body is too large", {});
      log.warn(
        `Request from ${incoming.socket.remoteAddress} refused: its body is too large`,
      );
      outgoing.writeHead(400, {
        "Content-Type": "application/json",
        "Content-Length": body.length,
      });
      outgoing.end(body);
      return;
    }
    await respond(incoming, outgoing);
  };
}

async function close(
  server: Server,
  connections: Connections,
  drainTime: number,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  connections.drain();
  const timer = setTimeout(() => connections.destroy(), drainTime);
  await closed;
  clearTimeout(timer);
}
