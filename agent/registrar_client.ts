/**
 * HTTP to the registrar: bounded requests and answers, in plain text as
 * upstream or over TLS (contract section 4.1).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import {
  Agent as HttpAgent,
  type IncomingMessage,
  request as httpRequest,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { urlHost } from "../config/hosts.ts";
import { quoted } from "../log/log.ts";

/** The registrar's answers are a few kilobytes. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** For a whole exchange, unless told. */
const TIMEOUT_MS = 30_000;

/** Where the registrar is. */
export interface RegistrarAddress {
  /** IP address or host name. */
  readonly ip: string;
  /** The port that the chosen protocol has. */
  readonly port: number;
  /** PEM certificates of the only authorities to trust; plain HTTP without. */
  readonly ca?: string;
}

/** The registrar answered. */
export interface RegistrarAnswer {
  /** HTTP status. */
  readonly status: number;
  /** The `results` of Keylime's envelope; empty if there is none. */
  readonly results: { readonly [key: string]: unknown };
  /** The envelope's `status` text, safe for a log. */
  readonly reason: string;
  /** When to ask again, in milliseconds, if the registrar says so. */
  readonly retryAfterMs: number | undefined;
}

/** The registrar could not be asked, or gave no answer of its kind. */
export class RegistrarUnreachableError extends Error {
  /** The class's name, also after bundling. */
  override readonly name = "RegistrarUnreachableError";
}

/** One request. */
export interface RegistrarRequest {
  /** HTTP method. */
  readonly method: "GET" | "POST" | "PUT";
  /** Path, starting with a slash. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
}

/** For the requests of one dialogue; each new one costs round trips. */
const ONE_CONNECTION = { keepAlive: true, maxSockets: 1 } as const;

/**
 * A connection that was used before ended without an answer: most likely the
 * registrar had given it up. Each request may safely be sent twice.
 */
class StaleConnectionError extends Error {}

/** Asks the registrar at `address`, on one connection until it hangs up. */
export class RegistrarClient {
  readonly #address: RegistrarAddress;
  readonly #timeoutMs: number;
  readonly #connections: HttpAgent;

  /**
   * A client of the registrar at `address`, which gives up an exchange that
   * takes longer than `timeoutMs` in all.
   */
  constructor(
    address: RegistrarAddress,
    { timeoutMs = TIMEOUT_MS }: { readonly timeoutMs?: number } = {},
  ) {
    this.#address = address;
    this.#timeoutMs = timeoutMs;
    this.#connections = address.ca === undefined
      ? new HttpAgent(ONE_CONNECTION)
      : new HttpsAgent(ONE_CONNECTION);
  }

  /** Whom it connects to: `10.0.0.1:8890`. */
  get peer(): string {
    const { ip, port } = this.#address;
    return `${urlHost(ip)}:${port}`;
  }

  /** What it asks, for messages: `http://10.0.0.1:8890`. */
  get url(): string {
    const scheme = this.#address.ca === undefined ? "http" : "https";
    return `${scheme}://${this.peer}`;
  }

  /**
   * Sends `request` and returns the answer, whatever its status.
   *
   * @throws RegistrarUnreachableError if there is none, or none of a registrar
   */
  async send(
    request: RegistrarRequest,
    signal: AbortSignal,
  ): Promise<RegistrarAnswer> {
    const exchange = (): Promise<Exchanged> => this.#exchange(request, signal);
    let exchanged: Exchanged;
    try {
      exchanged = await exchange().catch((error) => {
        if (error instanceof StaleConnectionError) return exchange();
        throw error;
      });
    } catch (error) {
      signal.throwIfAborted();
      throw new RegistrarUnreachableError(
        `Network error: connection failed to the registrar at ${this.url}`,
        { cause: error },
      );
    }
    const answer = parseAnswer(exchanged.response, exchanged.text);
    if (answer !== undefined) return answer;
    throw new RegistrarUnreachableError(
      `What answers at ${this.url} is no Keylime registrar; check options ` +
        '"registrar_ip" and "registrar_port"',
    );
  }

  /** Ends the connection; the next request begins another. */
  hangUp(): void {
    this.#connections.destroy();
  }

  async #exchange(
    { method, path, body }: RegistrarRequest,
    signal: AbortSignal,
  ): Promise<Exchanged> {
    signal.throwIfAborted();
    const { ip, port, ca } = this.#address;
    const text = body === undefined ? undefined : JSON.stringify(body);
    const options = {
      host: ip,
      port,
      method,
      path,
      agent: this.#connections,
      headers: {
        // The registrar refuses a GET that names a content type.
        ...(text === undefined ? {} : {
          "Content-Type": "application/json",
          "Content-Length": new TextEncoder().encode(text).length,
        }),
        "Accept": "application/json",
        "X-Request-ID": crypto.randomUUID().slice(0, 6),
      },
    };
    const head = Promise.withResolvers<IncomingMessage>();
    const request = ca === undefined
      ? httpRequest(options, head.resolve)
      : httpsRequest({ ...options, ca, minVersion: "TLSv1.2" }, head.resolve);
    request.on("error", (cause) =>
      head.reject(
        request.reusedSocket
          ? new StaleConnectionError("it was ended", { cause })
          : cause,
      ));
    // Deno 2.9.6 does not end a request on a connection that was used before.
    const end = Promise.withResolvers<never>();
    const abort = (): void => end.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const deadline = setTimeout(() => {
      const seconds = this.#timeoutMs / 1000;
      end.reject(new Error(`no whole answer in ${seconds} seconds`));
    }, this.#timeoutMs);
    try {
      request.end(text);
      const response = await Promise.race([head.promise, end.promise]);
      const answer = readAnswer(response);
      return { response, text: await Promise.race([answer, end.promise]) };
    } catch (error) {
      request.destroy();
      this.hangUp();
      throw error;
    } finally {
      clearTimeout(deadline);
      signal.removeEventListener("abort", abort);
    }
  }
}

/** A response and its text. */
interface Exchanged {
  readonly response: IncomingMessage;
  readonly text: string;
}

async function readAnswer(response: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      response.destroy();
      throw new Error(`the answer exceeds ${MAX_ANSWER_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** The answer, or undefined if no registrar can have given it. */
function parseAnswer(
  response: IncomingMessage,
  text: string,
): RegistrarAnswer | undefined {
  const status = response.statusCode ?? 0;
  const retryAfterMs = retryAfter(response.headers["retry-after"]);
  const envelope = recordOf(parsedJson(text));
  if (envelope === undefined && status === 200) return undefined;
  const reason = envelope?.["status"];
  return {
    status,
    retryAfterMs,
    results: recordOf(envelope?.["results"]) ?? {},
    reason: typeof reason === "string"
      ? quoted(reason, 200)
      : "no reason given",
  };
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function recordOf(
  value: unknown,
): { readonly [key: string]: unknown } | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as { readonly [key: string]: unknown }
    : undefined;
}

/** The header's seconds or date as milliseconds from now. RFC 9110, 10.2.3. */
function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  // Date.parse() alone makes a date of many things that are none.
  const date = header.endsWith(" GMT") ? Date.parse(header) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
