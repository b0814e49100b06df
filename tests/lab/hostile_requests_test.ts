import assert from "node:assert/strict";
import type { LabAgent } from "./agent.ts";
import { runOk } from "./command.ts";
import { Lab } from "./lab.ts";
import { trustedClient } from "./trusted_client.ts";

/** What the agent answers to one request of a client that it trusts. */
interface Answer {
  readonly status: number;
  readonly body: string;
}

const QUOTE = "/v2.6/quotes/integrity";

/** Requests that no real verifier sends, and what they get. */
const MALFORMED: readonly {
  readonly name: string;
  readonly path: string;
  readonly method?: string;
  readonly body?: Uint8Array<ArrayBuffer>;
  readonly status: number;
  readonly says: RegExp;
}[] = [
  {
    name: "a nonce of 65 bytes",
    path: `${QUOTE}?nonce=${"a".repeat(65)}&mask=0x0&partial=0`,
    status: 400,
    says: /Nonce is too long \(max size: 64\): 65/,
  },
  {
    name: "a nonce that is not alphanumeric",
    path: `${QUOTE}?nonce=a%0ab&mask=0x0&partial=0`,
    status: 400,
    says: /nonce should be strictly alphanumeric/,
  },
  {
    name: "a mask that is not hexadecimal",
    path: `${QUOTE}?nonce=abc&mask=0xzz&partial=0`,
    status: 400,
    says: /mask should be a hex encoded 32-bit integer/,
  },
  {
    name: "a mask with PCR 24",
    path: `${QUOTE}?nonce=abc&mask=0x1000000&partial=0`,
    status: 400,
    says: /PCR/,
  },
  {
    name: "partial neither 0 nor 1",
    path: `${QUOTE}?nonce=abc&mask=0x0&partial=2`,
    status: 400,
    says: /uri must contain key 'partial'/,
  },
  {
    name: "no parameters",
    path: QUOTE,
    status: 400,
    says: /"status":/,
  },
  {
    name: "a negative entry, read as the whole list",
    path: `${QUOTE}?nonce=abc&mask=0x400&partial=1&ima_ml_entry=-5`,
    status: 200,
    says: /"ima_measurement_list_entry":0/,
  },
  {
    name: "a huge entry, read as the whole list",
    path:
      `${QUOTE}?nonce=abc&mask=0x400&partial=1&ima_ml_entry=99999999999999999999`,
    status: 200,
    says: /"ima_measurement_list_entry":0/,
  },
  {
    name: "a wrong method",
    path: QUOTE,
    method: "DELETE",
    status: 405,
    says: /^$/,
  },
  {
    name: "a version that is not served",
    path: "/v9.9/quotes/identity?nonce=abc",
    status: 400,
    says: /API version not supported: v9\.9/,
  },
  {
    name: "a path that does not exist",
    path: "/v2.6/nothing",
    status: 400,
    says: /Not Implemented/,
  },
  {
    name: "a body of 10 MB where none belongs",
    path: "/v2.6/keys/ukey",
    method: "POST",
    body: new Uint8Array(10_000_000),
    status: 400,
    says: /"code":400/,
  },
];

/** One request with the verifier's own certificate. */
async function ask(
  { client, agent }: { client: Deno.HttpClient; agent: LabAgent },
  request: {
    readonly path: string;
    readonly method?: string;
    readonly body?: Uint8Array<ArrayBuffer>;
  },
): Promise<Answer> {
  const response = await fetch(
    `https://127.0.0.1:${agent.port}${request.path}`,
    {
      client,
      method: request.method ?? "GET",
      ...(request.body === undefined ? {} : { body: request.body }),
    },
  );
  return { status: response.status, body: await response.text() };
}

Deno.test("malformed requests harm nobody but their sender", async (t) => {
  await using lab = await Lab.start({ verifier: { quote_interval: 0.2 } });
  await using machine = await lab.machine();
  await using agent = await machine.agent(lab.keylime);
  await agent.start();
  await lab.tenant("add", agent);
  await lab.attested(agent, 1);
  using client = await trustedClient(lab.keylime, agent);
  for (const { name, status, says, ...request } of MALFORMED) {
    await t.step(`${name} gets ${status}`, async () => {
      const answer = await ask({ client, agent }, request);
      assert.equal(answer.status, status, answer.body);
      assert.match(answer.body, says);
      if (status === 400) {
        assert.equal(JSON.parse(answer.body).code, 400);
      }
      // The next quote is right: the verifier itself checks it.
      await lab.attested(agent, 1);
    });
  }
});

Deno.test("a client whose certificate is not the verifier's gets nothing", async (t) => {
  await using lab = await Lab.start();
  await using machine = await lab.machine();
  await using agent = await machine.agent(lab.keylime);
  await agent.start();
  const stranger = lab.directory.path("stranger");
  await runOk([
    ...["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"],
    ...["-keyout", `${stranger}.key`, "-out", `${stranger}.crt`],
    ...["-subj", "/CN=client", "-days", "2"],
  ]);
  const caCerts = [
    await Deno.readTextFile(`${agent.directory}/server-cert.crt`),
  ];
  const clients = {
    "no certificate": { caCerts },
    "a certificate from elsewhere": {
      caCerts,
      cert: await Deno.readTextFile(`${stranger}.crt`),
      key: await Deno.readTextFile(`${stranger}.key`),
    },
  };
  const paths = [
    "/version",
    "/v2.6/agent/info",
    "/v2.6/quotes/identity?nonce=abc",
    `${QUOTE}?nonce=abc&mask=0x0&partial=0`,
    "/v2.6/keys/pubkey",
    "/nothing",
  ];
  for (const [name, options] of Object.entries(clients)) {
    await t.step(`${name}`, async () => {
      using client = Deno.createHttpClient(options);
      for (const path of paths) {
        await assert.rejects(ask({ client, agent }, { path }), TypeError);
      }
    });
  }
  await t.step("the verifier's certificate still gets an answer", async () => {
    using client = await trustedClient(lab.keylime, agent);
    for (const path of paths) {
      const { status, body } = await ask({ client, agent }, { path });
      assert.equal(status, path === "/nothing" ? 400 : 200, body);
    }
  });
});
