import assert from "node:assert/strict";
import { BODY_LIMIT } from "../../api/request_body.ts";
import {
  open,
  readToEnd,
  readUntil,
  requestText,
  serve,
  write,
  writeBytes,
} from "./support/server.ts";

const MEGABYTE = new Uint8Array(1_000_000);

Deno.test("startServer() passes the raw path on, unresolved", async () => {
  await using server = await serve();
  using connection = await open(server, requestText("/v2.6/../version"));
  assert.match(await readToEnd(connection), /Use \/agent, \/keys, or \/quotes/);
});

Deno.test("startServer() sends an empty 405 with its length", async () => {
  await using server = await serve();
  using connection = await open(
    server,
    "PUT /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
  );
  const text = await readToEnd(connection);
  assert.match(text, /^HTTP\/1\.1 405 .*\r\n/);
  assert.match(text, /\r\nallow: GET\r\n/i);
  assert.match(text, /\r\ncontent-length: 0\r\n/i);
  assert.match(text, /\r\n\r\n$/);
});

Deno.test("startServer() answers a 10 MB body as the contract says and goes on", async (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["GET /version", /^HTTP\/1\.1 200 .*"supported_version"/s],
    ["POST /version", /^HTTP\/1\.1 405 /],
    ["GET /v2.6/quotes/identity?nonce=a", /^HTTP\/1\.1 200 .*"quote":"rID:a"/s],
    ["POST /v2.6/keys/nosuch", /^HTTP\/1\.1 400 .*{"code":400,"status":"URI/s],
    ["PUT /nosuch", /^HTTP\/1\.1 405 .*{"code":405,"status":"Method/s],
  ];
  await using server = await serve();
  for (const [request, expected] of cases) {
    for (const chunked of [false, true]) {
      await t.step(`${request}${chunked ? ", chunked" : ""}`, async () => {
        using connection = await open(
          server,
          `${request} HTTP/1.1\r\nHost: a\r\n` +
            (chunked
              ? "Transfer-Encoding: chunked\r\n\r\n"
              : "Content-Length: 10000000\r\n\r\n"),
        );
        for (let sent = 0; sent < 10; sent++) {
          if (chunked) await write(connection, "f4240\r\n");
          await writeBytes(connection, MEGABYTE);
          if (chunked) await write(connection, "\r\n");
        }
        if (chunked) await write(connection, "0\r\n\r\n");
        assert.match(await readToEnd(connection), expected);
      });
    }
  }
});

Deno.test("startServer() hands a body on, cut one byte over the limit", async (t) => {
  const lengths: number[] = [];
  await using server = await serve({
    app: {
      fetch: async (request) => {
        lengths.push((await request.arrayBuffer()).byteLength);
        return new Response("seen");
      },
    },
  });
  for (const size of [5, BODY_LIMIT, BODY_LIMIT + 1, 4 * BODY_LIMIT]) {
    await t.step(`${size} bytes`, async () => {
      const response = await fetch(`http://127.0.0.1:${server.port}/`, {
        method: "POST",
        body: new Uint8Array(size),
      });
      assert.equal(await response.text(), "seen");
    });
  }
  assert.deepEqual(lengths, [
    5,
    BODY_LIMIT,
    BODY_LIMIT + 1,
    BODY_LIMIT + 1,
  ]);
});

Deno.test("startServer() stops reading a body without end", async () => {
  await using server = await serve();
  using connection = await open(
    server,
    "POST /version HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
  );
  const answer = readToEnd(connection);
  let sent = 0;
  try {
    for (; sent < 200; sent++) {
      await write(connection, "f4240\r\n");
      await writeBytes(connection, MEGABYTE);
      await write(connection, "\r\n");
    }
  } catch {
    // The server has hung up.
  }
  assert.ok(sent < 100, `The server took ${sent} MB`);
  assert.match(
    await answer,
    /^(HTTP\/1\.1 400 .*Request body is too large|$)/s,
  );
});

Deno.test("startServer() refuses at once a body that is announced as huge", async () => {
  await using server = await serve();
  using connection = await open(
    server,
    "POST /version HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n",
  );
  assert.match(
    await readToEnd(connection),
    /^HTTP\/1\.1 400 .*{"code":400,"status":"Request body is too large","results":{}}/s,
  );
});

Deno.test("startServer() answers what is no HTTP, and what is no method, in the envelope", async (t) => {
  const cases: readonly (readonly [string, number])[] = [
    ["nonsense\r\n\r\n", 400],
    ["get /version HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405],
    ["GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["GET /version HTTP/1.1\r\nHost: a b\r\n\r\n", 400],
    ["GET /version HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400],
    [`GET /${"a".repeat(100_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 400],
  ];
  await using server = await serve();
  for (const [text, code] of cases) {
    await t.step(text.slice(0, 40), async () => {
      using connection = await open(server, text);
      const answer = await readUntil(connection, '"results":{}}');
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${code} `));
      assert.match(answer, new RegExp(`{"code":${code},"status":"`));
    });
  }
});

Deno.test("startServer() ends clients that are slow, and serves others meanwhile", async (t) => {
  await using server = await serve({
    limits: { head: 500, request: 1_000, idle: 100, silence: 5_000 },
  });
  const slow: Record<string, string> = {
    "silent": "",
    "slow head": "GET /version HTTP/1.1\r\nHo",
    "slow body":
      "POST /version HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1",
    "idle keep-alive": requestText("/version", ""),
  };
  for (const [name, text] of Object.entries(slow)) {
    await t.step(name, async () => {
      using connection = await open(server, text);
      const ended = readToEnd(connection);
      const other = await fetch(`http://127.0.0.1:${server.port}/version`);
      assert.equal(other.status, 200);
      await other.body?.cancel();
      const answer = await ended;
      const status = name === "idle keep-alive" ? 200 : 408;
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
    });
  }
});

Deno.test("startServer() survives a client that leaves amid its body", async () => {
  await using server = await serve();
  const connection = await open(
    server,
    "POST /version HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1",
  );
  connection.close();
  using other = await open(server, requestText("/version"));
  assert.match(await readToEnd(other), /^HTTP\/1\.1 200 /);
});

Deno.test("startServer() ends a client that does not read its answer", async () => {
  const size = 64 * 1024 * 1024;
  await using server = await serve({
    app: { fetch: () => new Response(new Uint8Array(size)) },
    limits: { silence: 300 },
  });
  using connection = await open(server, requestText("/"));
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assert.ok((await readToEnd(connection)).length < size);
});

Deno.test("startServer() ends a connection on which nothing moves any more", async () => {
  const never = Promise.withResolvers<Response>();
  await using server = await serve({
    app: { fetch: () => never.promise },
    limits: { silence: 300 },
  });
  using connection = await open(server, requestText("/version"));
  assert.equal(await readToEnd(connection), "");
  never.resolve(new Response());
});

Deno.test("startServer() closes connections over its limit, and takes new ones later", async () => {
  await using server = await serve({ limits: { connections: 2 } });
  const first = await open(server);
  using second = await open(server);
  using third = await open(server, requestText("/version"));
  assert.equal(await readToEnd(third), "");
  first.close();
  for (let tries = 0, answer = ""; answer === ""; tries++) {
    assert.ok(tries < 50, "The freed place was not given away");
    using fourth = await open(server, requestText("/version"));
    answer = await readToEnd(fourth);
  }
  await write(second, requestText("/version"));
  assert.match(await readToEnd(second), /^HTTP\/1\.1 200 /);
});
