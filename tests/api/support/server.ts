/**
 * A real server on a free loopback port, and raw clients for it.
 *
 * @module
 */

import { createApp } from "../../../api/app.ts";
import {
  type RunningServer,
  type ServerOptions,
  startServer,
} from "../../../api/server.ts";
import { API_VERSIONS } from "../../../config/api_versions.ts";
import { attesterWith, recordingLog } from "./attester.ts";
import { NO_KEYS } from "./keys.ts";
import { NO_REVOCATIONS } from "./revocations.ts";

/** A server that closes at disposal. */
export interface TestServer extends RunningServer, AsyncDisposable {
  /** Its log, as `level message`. */
  readonly lines: readonly string[];
}

/** Starts a server; without `options`, the whole API in plain text. */
export async function serve(
  options: Partial<ServerOptions> = {},
): Promise<TestServer> {
  const { log, lines } = recordingLog();
  const server = await startServer({
    app: createApp({
      attester: attesterWith(),
      keys: NO_KEYS,
      revocations: NO_REVOCATIONS,
      apiVersions: API_VERSIONS,
      log,
    }),
    listen: { ip: "127.0.0.1", port: 0 },
    tls: { kind: "plaintext" },
    log,
    ...options,
  });
  return {
    ...server,
    lines,
    [Symbol.asyncDispose]: (): Promise<void> => server.close(),
  };
}

/** A request without body. */
export function requestText(
  path: string,
  headers = "Connection: close\r\n",
): string {
  return `GET ${path} HTTP/1.1\r\nHost: agent\r\n${headers}\r\n`;
}

/** Opens a plain connection to `server`, and writes `text`. */
export async function open(
  server: RunningServer,
  text = "",
): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ port: server.port });
  await write(connection, text);
  return connection;
}

/** Writes all of `text`. */
export async function write(
  connection: Deno.Conn,
  text: string,
): Promise<void> {
  await writeBytes(connection, new TextEncoder().encode(text));
}

/** Writes all of `bytes`. */
export async function writeBytes(
  connection: Deno.Conn,
  bytes: Uint8Array,
): Promise<void> {
  for (let sent = 0; sent < bytes.length;) {
    sent += await connection.write(bytes.subarray(sent));
  }
}

/** All that arrives until the server ends the connection, or resets it. */
export async function readToEnd(connection: Deno.Conn): Promise<string> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const buffer = new Uint8Array(65536);
  try {
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) break;
      chunks.push(buffer.slice(0, count));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  return await new Blob(chunks).text();
}

/** What arrives until `text` holds all of `end`. */
export async function readUntil(
  connection: Deno.Conn,
  end: string,
): Promise<string> {
  let text = "";
  const buffer = new Uint8Array(65536);
  while (!text.includes(end)) {
    const count = await connection.read(buffer);
    if (count === null) break;
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return text;
}
