/**
 * A registrar that answers as it is told: for faults and refusals that the
 * real one will not produce on demand.
 *
 * @module
 */

/** One request as it arrived. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
  /** The client's port, which tells its connections apart. */
  readonly port: number;
}

/** What is answered to the first, second, … request; the last one stays. */
export type Answers = readonly (() => Response | Promise<Response>)[];

/** Answers by request method. */
export type Script = Readonly<Record<string, Answers>>;

/** Keylime's envelope as an answer. */
export function answer(
  code: number,
  results: unknown = {},
  headers: Readonly<Record<string, string>> = {},
): () => Response {
  const status = code === 200 ? "Success" : `Status ${code}`;
  return () =>
    Response.json({ code, status, results }, { status: code, headers });
}

/** What GET /version says. */
export function versions(
  current: string,
  supported: readonly string[] = ["1.0", "2.0", current],
): () => Response {
  return answer(200, {
    current_version: current,
    supported_versions: supported,
  });
}

/** A credential that parses; nobody can open it. */
export const BLOB = Uint8Array.from([
  ...[0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1],
  ...[0, 2, 0x11, 0x11, 0, 2, 0x22, 0x22],
]).toBase64();

/** A registrar that is content. */
export const GOOD: Script = {
  GET: [versions("2.6")],
  POST: [answer(200, { blob: BLOB })],
  PUT: [answer(200)],
};

/** A running one. */
export class FakeRegistrar implements AsyncDisposable {
  /** What it was asked, in order. */
  readonly requests: SeenRequest[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #stop = new AbortController();

  private constructor(script: Script, port: number) {
    const played = new Map<string, number>();
    this.#server = Deno.serve(
      {
        hostname: "127.0.0.1",
        port,
        onListen: () => {},
        signal: this.#stop.signal,
      },
      async (request, { remoteAddr: { port } }) => {
        const { method, url, headers } = request;
        const path = new URL(url).pathname;
        const body = await request.text();
        this.requests.push({ method, path, headers, body, port });
        const answers = script[method] ?? [];
        const at = played.get(method) ?? 0;
        played.set(method, at + 1);
        const next = answers[at] ?? answers.at(-1);
        return await next?.() ?? new Response(null, { status: 405 });
      },
    );
  }

  /** Starts one, on a free port unless told. */
  static start(change: Script = {}, port = 0): FakeRegistrar {
    return new FakeRegistrar({ ...GOOD, ...change }, port);
  }

  /** Where it listens. */
  get port(): number {
    return this.#server.addr.port;
  }

  /** Methods and paths of all requests. */
  get asked(): string[] {
    return this.requests.map(({ method, path }) => `${method} ${path}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#server.finished;
  }
}

/** A signal that knows who still listens to it. */
export function watchedSignal(): {
  readonly signal: AbortSignal;
  readonly abort: () => void;
  readonly listeners: () => number;
} {
  const controller = new AbortController();
  const { signal } = controller;
  const present = new Map<unknown, boolean>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>): void => {
    const [, listener, options] = args;
    present.set(listener, typeof options === "object" && !!options.once);
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>): void => {
    present.delete(args[1]);
    remove(...args);
  };
  const abort = (): void => {
    controller.abort();
    for (const [listener, isOnce] of present) {
      if (isOnce) present.delete(listener);
    }
  };
  return { signal, abort, listeners: () => present.size };
}
