import assert from "node:assert/strict";
import {
  RegistrarClient,
  RegistrarUnreachableError,
} from "../../agent/registrar_client.ts";
import { freePorts } from "../lab/ports.ts";
import {
  answer,
  FakeRegistrar,
  watchedSignal,
} from "./support/fake_registrar.ts";

const IP = "127.0.0.1";
const NEVER = new AbortController().signal;
const VERSION = { method: "GET", path: "/version" } as const;

/** A server that writes `text` to each connection and then does `next`. */
function rawServer(
  text: string,
  next: (connection: Deno.Conn) => Promise<void> | void,
): AsyncDisposable & { readonly port: number; readonly accepted: number } {
  const listener = Deno.listen({ hostname: IP, port: 0 });
  const connections = new Set<Deno.Conn>();
  const talk = async (connection: Deno.Conn): Promise<void> => {
    connections.add(connection);
    await connection.read(new Uint8Array(4096));
    await connection.write(new TextEncoder().encode(text));
    await next(connection);
  };
  const serve = async (): Promise<void> => {
    const talks: Promise<void>[] = [];
    for await (const connection of listener) {
      // The client may hang up in the middle of it.
      talks.push(talk(connection).catch(() => {}));
    }
    await Promise.all(talks);
  };
  const served = serve();
  return {
    port: listener.addr.port,
    get accepted(): number {
      return connections.size;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      listener.close();
      for (const connection of connections) {
        try {
          connection.close();
        } catch {
          // It ended before.
        }
      }
      await served;
    },
  };
}

/** Asserts that asking fails in one line like `want`, for one of its causes. */
async function failsLike(
  asking: Promise<unknown>,
  want: { readonly message: RegExp; readonly cause?: RegExp },
): Promise<void> {
  await assert.rejects(asking, (error) => {
    assert.ok(error instanceof RegistrarUnreachableError, String(error));
    assert.match(error.message, want.message);
    assert.match(String(error.cause), want.cause ?? /./);
    return true;
  });
}

Deno.test("send() asks without a body as the registrar wants it", async () => {
  await using registrar = FakeRegistrar.start();
  const client = new RegistrarClient({ ip: IP, port: registrar.port });
  const { status, results } = await client.send(VERSION, NEVER);
  assert.equal(status, 200);
  assert.equal(results["current_version"], "2.6");
  const [request] = registrar.requests;
  assert.ok(request);
  assert.deepEqual(registrar.asked, ["GET /version"]);
  assert.equal(request.body, "");
  assert.equal(request.headers.has("content-type"), false);
  assert.equal(request.headers.get("accept"), "application/json");
  assert.match(request.headers.get("x-request-id") ?? "", /^[a-z0-9]{6}$/);
  assert.equal(request.headers.get("host"), `${IP}:${registrar.port}`);
});

Deno.test("send() sends a body as JSON", async () => {
  await using registrar = FakeRegistrar.start();
  const client = new RegistrarClient({ ip: IP, port: registrar.port });
  const body = { uuid: "é", list: [1] };
  const path = "/v2.6/agents/id";
  await client.send({ method: "POST", path, body }, NEVER);
  const [request] = registrar.requests;
  assert.deepEqual(registrar.asked, ["POST /v2.6/agents/id"]);
  assert.deepEqual(JSON.parse(request?.body ?? ""), body);
  assert.equal(request?.headers.get("content-type"), "application/json");
});

Deno.test("send() gives every answer, whatever its status", async (t) => {
  const long = "x".repeat(1000);
  const rows = [
    {
      name: "a refusal",
      response: answer(403),
      want: { status: 403, results: {}, reason: '"Status 403"' },
    },
    {
      name: "no body",
      response: (): Response => new Response(null, { status: 404 }),
      want: { status: 404, results: {}, reason: "no reason given" },
    },
    {
      name: "a page",
      response: (): Response => new Response("<html>", { status: 502 }),
      want: { status: 502, results: {}, reason: "no reason given" },
    },
    {
      name: "a reason that would forge a log line",
      response: (): Response =>
        Response.json({ status: "no\n INFO  > \x1b[31m" }, { status: 400 }),
      want: {
        status: 400,
        results: {},
        reason: '"no\\n INFO  > \\u001b[31m"',
      },
    },
    {
      name: "a long reason",
      response: (): Response =>
        Response.json({ status: long }, { status: 400 }),
      want: {
        status: 400,
        results: {},
        reason: `"${"x".repeat(200)}\\u2026"`,
      },
    },
    {
      name: "results that are none",
      response: (): Response => Response.json({ results: ["blob"] }),
      want: { status: 200, results: {}, reason: "no reason given" },
    },
  ];
  for (const { name, response, want } of rows) {
    await t.step(name, async () => {
      await using registrar = FakeRegistrar.start({ GET: [response] });
      const client = new RegistrarClient({ ip: IP, port: registrar.port });
      const { retryAfterMs, ...found } = await client.send(VERSION, NEVER);
      assert.equal(retryAfterMs, undefined);
      assert.deepEqual(found, want);
    });
  }
});

Deno.test("send() understands when to ask again", async (t) => {
  const year = new Date(Date.now() + 365 * 86_400_000);
  const rows = [
    { header: "0", want: [0, 0] },
    { header: "120", want: [120_000, 120_000] },
    { header: year.toUTCString(), want: [364 * 86_400_000, 366 * 86_400_000] },
    { header: "Thu, 01 Jan 1970 00:00:00 GMT", want: [0, 0] },
    { header: "soon", want: undefined },
    { header: "-5", want: undefined },
    { header: "1e3", want: undefined },
    { header: "99999999999999999999", want: undefined },
  ];
  for (const [at, { header, want }] of rows.entries()) {
    await t.step(at === 2 ? "in a year" : header, async () => {
      const busy = answer(503, {}, { "Retry-After": header });
      await using registrar = FakeRegistrar.start({ GET: [busy] });
      const client = new RegistrarClient({ ip: IP, port: registrar.port });
      const { retryAfterMs } = await client.send(VERSION, NEVER);
      if (want === undefined) return assert.equal(retryAfterMs, undefined);
      const [least = 0, most = 0] = want;
      assert.ok(retryAfterMs !== undefined);
      assert.ok(retryAfterMs >= least && retryAfterMs <= most);
    });
  }
});

Deno.test("send() tells a registrar that is not there in upstream's words", async () => {
  const port = freePorts();
  const client = new RegistrarClient({ ip: IP, port });
  await failsLike(client.send(VERSION, NEVER), {
    message: new RegExp(
      `^Network error: connection failed to the registrar at http://127.0.0.1:${port}$`,
    ),
    cause: /ECONNREFUSED/,
  });
});

Deno.test("send() tells something that is no registrar from no network", async (t) => {
  const rows = [
    { name: "a page", text: "<html>Welcome</html>" },
    { name: "nothing", text: "" },
    { name: "a list", text: "[1, 2]" },
    { name: "half an envelope", text: '{"code": 200, "results": {' },
  ];
  for (const { name, text } of rows) {
    await t.step(name, async () => {
      const GET = [(): Response => new Response(text)];
      await using registrar = FakeRegistrar.start({ GET });
      const client = new RegistrarClient({ ip: IP, port: registrar.port });
      await failsLike(client.send(VERSION, NEVER), {
        message: /^What answers at http:.* is no Keylime registrar/,
      });
    });
  }
});

Deno.test("send() gives up on answers that do not end in time or at all", async (t) => {
  const head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
  const drip = async (connection: Deno.Conn): Promise<void> => {
    for (;;) {
      await connection.write(Uint8Array.of(0x20));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const hangUp = (connection: Deno.Conn): void => connection.close();
  const late = /no whole answer in 0\.3 seconds/;
  const rows = [
    { name: "silence", text: "", next: (): void => {}, cause: late },
    { name: "only a head", text: head, next: (): void => {}, cause: late },
    { name: "a byte now and then", text: head, next: drip, cause: late },
    { name: "no answer", text: "", next: hangUp, cause: /./ },
    { name: "half an answer", text: head + "{", next: hangUp, cause: /./ },
    {
      name: "another protocol",
      text: "SSH-2.0-x\r\n",
      next: hangUp,
      cause: /./,
    },
  ];
  for (const { name, text, next, cause } of rows) {
    await t.step(name, async () => {
      await using server = rawServer(text, next);
      const client = new RegistrarClient(
        { ip: IP, port: server.port },
        { timeoutMs: 300 },
      );
      await failsLike(client.send(VERSION, NEVER), {
        message: /^Network error: connection failed to the registrar at/,
        cause,
      });
      assert.equal(server.accepted, 1, "it asked again");
    });
  }
});

Deno.test("send() stays on one connection until it hangs up", async () => {
  await using registrar = FakeRegistrar.start();
  const client = new RegistrarClient({ ip: IP, port: registrar.port });
  await client.send(VERSION, NEVER);
  await client.send({ method: "POST", path: "/", body: {} }, NEVER);
  client.hangUp();
  await client.send(VERSION, NEVER);
  client.hangUp();
  const [first, second, third] = registrar.requests.map(({ port }) => port);
  assert.equal(first, second);
  assert.notEqual(second, third);
});

Deno.test("send() asks anew what a connection that was used before has lost", async (t) => {
  const text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
  const put = { method: "PUT", path: "/", body: {} } as const;
  await t.step("where a new one works", async () => {
    await using server = rawServer(text, async (connection) => {
      await connection.read(new Uint8Array(4096));
      connection.close();
    });
    const client = new RegistrarClient({ ip: IP, port: server.port });
    assert.equal((await client.send(VERSION, NEVER)).status, 200);
    assert.equal((await client.send(put, NEVER)).status, 200);
    assert.equal(server.accepted, 2);
    client.hangUp();
  });
  await t.step("and fails where it does not", async () => {
    let requests = 0;
    await using server = rawServer("", async (connection) => {
      requests++;
      if (requests > 1) return connection.close();
      await connection.write(new TextEncoder().encode(text));
      await connection.read(new Uint8Array(4096));
      requests++;
      connection.close();
    });
    const client = new RegistrarClient({ ip: IP, port: server.port });
    assert.equal((await client.send(VERSION, NEVER)).status, 200);
    await failsLike(client.send(put, NEVER), { message: /^Network error/ });
    assert.equal(requests, 3);
    assert.equal(server.accepted, 2);
  });
});

Deno.test("send() reads no endless answer", async () => {
  let sent = 0;
  const flood = async (connection: Deno.Conn): Promise<void> => {
    for (; sent < 1e9; sent += 65536) {
      await connection.write(new Uint8Array(65536).fill(0x20));
    }
  };
  await using server = rawServer("HTTP/1.1 200 OK\r\n\r\n", flood);
  const client = new RegistrarClient({ ip: IP, port: server.port });
  await failsLike(client.send(VERSION, NEVER), {
    message: /^Network error/,
    cause: /the answer exceeds 1048576 bytes/,
  });
  assert.ok(sent < 50e6, `${sent} bytes were taken`);
});

Deno.test("send() ends at once when it is told to, and forgets the signal", async (t) => {
  const { signal, abort, listeners } = watchedSignal();
  await t.step("after an answer", async () => {
    await using registrar = FakeRegistrar.start();
    const client = new RegistrarClient({ ip: IP, port: registrar.port });
    for (let n = 0; n < 3; n++) await client.send(VERSION, signal);
  });
  await using server = rawServer("", () => {});
  const client = new RegistrarClient({ ip: IP, port: server.port });
  await t.step("in mid-request", async () => {
    const asking = client.send(VERSION, signal);
    setTimeout(abort, 30);
    await assert.rejects(asking, { name: "AbortError" });
  });
  await t.step("before a request", async () => {
    await assert.rejects(client.send(VERSION, signal), { name: "AbortError" });
  });
  assert.equal(listeners(), 0);
});

Deno.test("url says what is asked", () => {
  const urls = [
    new RegistrarClient({ ip: "10.0.0.1", port: 8890 }).url,
    new RegistrarClient({ ip: "fd00::1", port: 8891, ca: "PEM" }).url,
  ];
  assert.deepEqual(urls, ["http://10.0.0.1:8890", "https://[fd00::1]:8891"]);
});
