/**
 * HTTP to the registrar: bounded requests and answers, in plain text as
 * upstream or over TLS (contract section 4.1).
 *
 * @module
 */

import {
  type ClientRequest,
  type IncomingMessage,
  request as httpRequest,
} from "node:http";
import { request as httpsRequest } from "node:https";
import { urlHost } from "../config/hosts.ts";
import { quoted } from "../log/log.ts";

/** The registrar's answers are a few kilobytes. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** Longest silence of the registrar. */
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

/** The registrar could not be asked, or did not answer. */
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

/** Asks the registrar at `address`. */
export class RegistrarClient {
  readonly #address: RegistrarAddress;

  /** A client of the registrar at `address`. */
  constructor(address: RegistrarAddress) {
    this.#address = address;
  }

  /** What is asked, for messages: `http://10.0.0.1:8890`. */
  get url(): string {
    const { ip, port, ca } = this.#address;
    return `${ca === undefined ? "http" : "https"}://${urlHost(ip)}:${port}`;
  }

  /**
   * Sends `request` and returns the answer, whatever its status.
   *
   * @throws RegistrarUnreachableError if there is none, or none in JSON
   */
  async send(
    request: RegistrarRequest,
    signal: AbortSignal,
  ): Promise<RegistrarAnswer> {
    try {
      const answer = await this.#exchange(request, signal);
      return parseAnswer(answer.response, answer.text);
    } catch (error) {
      signal.throwIfAborted();
      throw new RegistrarUnreachableError(
        `Network error: connection failed to the registrar at ${this.url}`,
        { cause: error },
      );
    }
  }

  #exchange(
    { method, path, body }: RegistrarRequest,
    signal: AbortSignal,
  ): Promise<{ response: IncomingMessage; text: string }> {
    const { ip, port, ca } = this.#address;
    const text = body === undefined ? undefined : JSON.stringify(body);
    const options = {
      host: ip,
      port,
      method,
      path,
      signal,
      agent: false,
      timeout: TIMEOUT_MS,
      headers: {
        // The registrar refuses a GET that names a content type.
        ...(text === undefined ? {} : {
          "Content-Type": "application/json",
          "Content-Length": new TextEncoder().encode(text).length,
        }),
        "Accept": "application/json",
        "Connection": "close",
        "X-Request-ID": crypto.randomUUID().slice(0, 6),
      },
    };
    return new Promise((resolve, reject) => {
      const onResponse = (response: IncomingMessage): void => {
        readAnswer(response).then(
          (text) => resolve({ response, text }),
          reject,
        );
      };
      const request: ClientRequest = ca === undefined
        ? httpRequest(options, onResponse)
        : httpsRequest({ ...options, ca, minVersion: "TLSv1.2" }, onResponse);
      request.on("timeout", () => {
        request.destroy(new Error(`no answer in ${TIMEOUT_MS / 1000} seconds`));
      });
      request.on("error", reject);
      request.end(text);
    });
  }
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
  return new TextDecoder().decode(
    await new Blob(chunks as BlobPart[]).arrayBuffer(),
  );
}

function parseAnswer(response: IncomingMessage, text: string): RegistrarAnswer {
  const status = response.statusCode ?? 0;
  const retryAfterMs = retryAfter(response.headers["retry-after"]);
  const envelope = recordOf(parsedJson(text));
  if (envelope === undefined && status === 200) {
    throw new Error("the answer is not a JSON object");
  }
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
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
