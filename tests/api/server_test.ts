import assert from "node:assert/strict";
import type { ServerOptions } from "../../api/server.ts";
import { Pki } from "./support/pki.ts";
import {
  open,
  readToEnd,
  readUntil,
  requestText,
  serve,
  type TestServer,
} from "./support/server.ts";

interface MutualTlsServer extends AsyncDisposable {
  readonly server: TestServer;
  readonly http: Deno.HttpClient;
}

/** A server over mutual TLS, and a client that it trusts. */
async function serveOverTls(
  options: Partial<ServerOptions> = {},
): Promise<MutualTlsServer> {
  await using pki = await Pki.create();
  const ca = await pki.selfSigned("/CN=Keylime CA");
  const agent = await pki.issue(ca, {
    subject: "/CN=agent",
    extensions: "subjectAltName=IP:127.0.0.1",
  });
  const client = await pki.issue(ca, { subject: "/CN=client" });
  const server = await serve({
    tls: {
      kind: "mtls",
      key: agent.key,
      certificate: agent.certificate,
      trustedCa: [ca.certificate],
    },
    ...options,
  });
  const http = Deno.createHttpClient({
    caCerts: [ca.certificate],
    cert: client.certificate,
    key: client.key,
  });
  return {
    server,
    http,
    [Symbol.asyncDispose]: async (): Promise<void> => {
      http.close();
      await server.close();
    },
  };
}

Deno.test("startServer() serves 16 requests at once over mutual TLS, beside idle connections", async () => {
  await using tls = await serveOverTls();
  const { server, http } = tls;
  using _beforeHandshake = await open(server);
  using inHandshake = await open(server);
  await inHandshake.write(new Uint8Array([22, 3, 1, 2, 0, 1]));
  const quotes = await Promise.all(
    Array.from({ length: 16 }, async (_, n) => {
      const response = await fetch(
        `https://127.0.0.1:${server.port}/v2.6/quotes/identity?nonce=n${n}`,
        { client: http },
      );
      return (await response.json()).results.quote;
    }),
  );
  assert.deepEqual(quotes, Array.from(quotes, (_, n) => `rID:n${n}`));
});

Deno.test("startServer() ends a TLS handshake that does not come", async () => {
  await using tls = await serveOverTls({ limits: { handshake: 300 } });
  using connection = await open(tls.server);
  assert.equal(await readToEnd(connection), "");
});

Deno.test("close() lets an answer finish, and ends idle connections at once", async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Response>();
  const server = await serve({
    app: {
      fetch: (request) => {
        if (request.url.endsWith("/quick")) return new Response("quick");
        asked.resolve();
        return answer.promise;
      },
    },
  });
  using idle = await open(server, requestText("/quick", ""));
  await readUntil(idle, "quick");
  using busy = await open(server, requestText("/slow", ""));
  await asked.promise;

  let closed = false;
  const closing = server.close().then(() => closed = true);
  assert.equal(await readToEnd(idle), "");
  await assert.rejects(open(server), Deno.errors.ConnectionRefused);
  assert.equal(closed, false);
  answer.resolve(new Response("done"));
  assert.match(await readToEnd(busy), /^HTTP\/1\.1 200 .*done/s);
  await closing;
});

Deno.test("close() does the same over TLS, also amid a handshake", async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Response>();
  await using tls = await serveOverTls({
    app: {
      fetch: (request) => {
        if (request.url.endsWith("/quick")) return new Response("quick");
        asked.resolve();
        return answer.promise;
      },
    },
    limits: {
      handshake: 60_000,
      head: 60_000,
      request: 60_000,
      idle: 60_000,
      drain: 60_000,
    },
  });
  const { server, http } = tls;
  using handshaking = await open(server);
  const url = `https://127.0.0.1:${server.port}`;
  const slow = fetch(`${url}/slow`, { client: http });
  await asked.promise;
  const quick = await fetch(`${url}/quick`, { client: http });
  assert.equal(await quick.text(), "quick");

  const begin = performance.now();
  const closing = server.close();
  assert.equal(await readToEnd(handshaking), "");
  answer.resolve(new Response("done"));
  assert.equal(await (await slow).text(), "done");
  await closing;
  assert.ok(performance.now() - begin < 30_000);
});

Deno.test("close() waits no longer than its limit", async () => {
  const asked = Promise.withResolvers<void>();
  const never = Promise.withResolvers<Response>();
  const server = await serve({
    app: {
      fetch: () => {
        asked.resolve();
        return never.promise;
      },
    },
    limits: { drain: 100 },
  });
  using connection = await open(server, requestText("/"));
  await asked.promise;
  await server.close();
  assert.equal(await readToEnd(connection), "");
  never.resolve(new Response());
});

Deno.test("close() can be called again", async () => {
  const server = await serve();
  await Promise.all([server.close(), server.close()]);
  await server.close();
});

Deno.test("startServer() says what to do when the port is taken", async () => {
  await using server = await serve();
  await assert.rejects(
    serve({ listen: { ip: "127.0.0.1", port: server.port } }),
    {
      message: new RegExp(
        `^Cannot listen on 127.0.0.1:${server.port}: .*change option port$`,
      ),
    },
  );
});

Deno.test("startServer() says what to do about an address it has not", async () => {
  await assert.rejects(serve({ listen: { ip: "192.0.2.1", port: 0 } }), {
    message: /^Cannot listen on 192\.0\.2\.1:0: .*change option ip$/,
  });
});
