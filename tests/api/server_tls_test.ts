import assert from "node:assert/strict";
import { type Identity, P256, Pki, sendOverTls } from "./support/pki.ts";
import { requestText, serve, type TestServer } from "./support/server.ts";

const VERSIONS = ["1.2", "1.3"] as const;

const ENDPOINTS = [
  "/version",
  "/v2.6/agent/info",
  "/v2.6/keys/pubkey",
  "/v2.6/keys/verify?challenge=a",
  "/v2.6/quotes/identity?nonce=a",
  "/v2.6/quotes/integrity?nonce=a&mask=0x0&partial=0",
  "/nosuch",
];

function serveTo(server: Identity, trusted: Identity[]): Promise<TestServer> {
  return serve({
    tls: {
      kind: "mtls",
      key: server.key,
      certificate: server.certificate,
      trustedCa: trusted.map((ca) => ca.certificate),
    },
  });
}

Deno.test("startServer() serves clients of a trusted CA over TLS 1.2 and 1.3", async (t) => {
  await using pki = await Pki.create();
  const [ca, otherCa] = [
    await pki.selfSigned("/CN=Keylime CA"),
    await pki.selfSigned("/CN=Second CA", P256),
  ];
  const servers = {
    "RSA-2048": await pki.selfSigned("/CN=agent"),
    "P-256": await pki.selfSigned("/CN=agent", P256),
  };
  const clients = {
    "like Keylime's own": await pki.issue(ca, { subject: "/CN=client" }),
    "with EKU clientAuth": await pki.issue(ca, {
      subject: "/CN=client",
      extensions: "extendedKeyUsage=clientAuth",
    }),
    "with a P-256 key of the second CA": await pki.issue(otherCa, {
      subject: "/CN=tenant",
      keyArguments: P256,
    }),
  };
  for (const [keyName, identity] of Object.entries(servers)) {
    await using server = await serveTo(identity, [ca, otherCa]);
    for (const [clientName, client] of Object.entries(clients)) {
      for (const version of VERSIONS) {
        await t.step(
          `${keyName}, TLS ${version}, client ${clientName}`,
          async () => {
            const request = requestText("/version");
            const { text, errors } = await sendOverTls(server.port, request, {
              version,
              identity: client,
            });
            assert.match(text, /^HTTP\/1\.1 200 OK\r\n/, errors);
            assert.match(text, /"supported_version":"2\.6"/);
          },
        );
      }
    }
  }
});

Deno.test("startServer() gives an untrusted client no byte on any endpoint", async (t) => {
  await using pki = await Pki.create();
  const ca = await pki.selfSigned("/CN=Keylime CA");
  const own = await pki.selfSigned("/CN=agent");
  const client = await pki.issue(ca, { subject: "/CN=client" });
  const foreignCa = await pki.selfSigned("/CN=Foreign CA");
  const strangers: Record<string, Identity | undefined> = {
    "no certificate": undefined,
    "another CA's": await pki.issue(foreignCa, { subject: "/CN=client" }),
    "another CA's of the same name": await pki.issue(
      await pki.selfSigned("/CN=Keylime CA"),
      { subject: "/CN=client" },
    ),
    "self-signed with the CA's name": await pki.selfSigned("/CN=Keylime CA"),
    "the server's own": own,
    "expired": await pki.issue(ca, { subject: "/CN=client", expired: true }),
    "for servers only": await pki.issue(ca, {
      subject: "/CN=client",
      extensions: "extendedKeyUsage=serverAuth",
    }),
    "issued by a client": await pki.issue(client, { subject: "/CN=client" }),
  };
  await using server = await serveTo(own, [ca]);
  for (const [name, identity] of Object.entries(strangers)) {
    for (const version of VERSIONS) {
      await t.step(`${name}, TLS ${version}`, async () => {
        await Promise.all(ENDPOINTS.map(async (path) => {
          const { text } = await sendOverTls(server.port, requestText(path), {
            version,
            identity,
          });
          assert.equal(text, "", path);
        }));
      });
    }
  }
  await t.step("and goes on serving the others", async () => {
    const request = requestText("/version");
    const { text } = await sendOverTls(server.port, request, {
      version: "1.3",
      identity: client,
    });
    assert.match(text, /^HTTP\/1\.1 200 OK/);
  });
  const refused = server.lines.filter((line) =>
    /^warn Client 127\.0\.0\.1:\d+ refused: ./.test(line)
  );
  assert.equal(
    refused.length,
    Object.keys(strangers).length * VERSIONS.length * ENDPOINTS.length,
  );
});

Deno.test("startServer() follows a client's chain, through CAs only", async (t) => {
  await using pki = await Pki.create();
  const ca = await pki.selfSigned("/CN=Keylime CA");
  const middleCa = await pki.issue(ca, {
    subject: "/CN=Middle CA",
    extensions: "basicConstraints=critical,CA:TRUE",
  });
  const noCa = await pki.issue(ca, { subject: "/CN=client" });
  const subject = "/CN=leaf";
  const chains = [
    ["a CA", await pki.issue(middleCa, { subject }), middleCa, /^HTTP/],
    ["a client", await pki.issue(noCa, { subject }), noCa, /^$/],
  ] as const;
  await using server = await serveTo(await pki.selfSigned("/CN=agent"), [ca]);
  for (const [name, identity, issuer, expected] of chains) {
    for (const version of VERSIONS) {
      await t.step(`issued by ${name}, TLS ${version}`, async () => {
        const request = requestText("/version");
        const { text } = await sendOverTls(server.port, request, {
          version,
          identity,
          extra: ["-cert_chain", issuer.certificatePath],
        });
        assert.match(text, expected);
      });
    }
  }
});

Deno.test("startServer() leaves an untrusted client no session to resume", async (t) => {
  // Resuming one skips the check of the certificate.
  await using pki = await Pki.create();
  const ca = await pki.selfSigned("/CN=Keylime CA");
  const stranger = await pki.issue(await pki.selfSigned("/CN=Foreign CA"), {
    subject: "/CN=client",
  });
  const client = await pki.issue(ca, { subject: "/CN=client" });
  await using server = await serveTo(await pki.selfSigned("/CN=agent"), [ca]);
  for (const version of VERSIONS) {
    for (const [name, identity] of Object.entries({ client, stranger })) {
      await t.step(`${name}, TLS ${version}`, async () => {
        const session = `${identity.keyPath}.session-${version}`;
        await sendOverTls(server.port, requestText("/version"), {
          version,
          identity,
          extra: ["-sess_out", session],
        });
        const saved = await Deno.stat(session).then(() => true, () => false);
        assert.equal(saved, name === "client");
      });
    }
  }
});

Deno.test("startServer() without a trusted CA refuses everybody", async (t) => {
  await using pki = await Pki.create();
  const own = await pki.selfSigned("/CN=agent");
  const ca = await pki.selfSigned("/CN=Keylime CA");
  const client = await pki.issue(ca, { subject: "/CN=client" });
  await using server = await serveTo(own, []);
  for (const identity of [client, own, undefined]) {
    for (const version of VERSIONS) {
      const name = identity === undefined ? "nobody" : "somebody";
      await t.step(`${name}, TLS ${version}`, async () => {
        const request = requestText("/version");
        const { text } = await sendOverTls(server.port, request, {
          version,
          identity,
        });
        assert.equal(text, "");
      });
    }
  }
});

Deno.test("startServer() gives plain HTTP on the TLS port no byte", async () => {
  await using pki = await Pki.create();
  const own = await pki.selfSigned("/CN=agent");
  await using server = await serveTo(own, [own]);
  using connection = await Deno.connect({ port: server.port });
  await connection.write(new TextEncoder().encode(requestText("/version")));
  const buffer = new Uint8Array(1000);
  const count = await connection.read(buffer).catch(() => null) ?? 0;
  const text = new TextDecoder().decode(buffer.subarray(0, count));
  assert.doesNotMatch(text, /HTTP|\{/);
});

Deno.test("startServer() names the option behind unusable TLS material", async (t) => {
  await using pki = await Pki.create();
  const own = await pki.selfSigned("/CN=agent", P256);
  const other = await pki.selfSigned("/CN=other", P256);
  const good = {
    kind: "mtls",
    key: own.key,
    certificate: own.certificate,
    trustedCa: [other.certificate],
  } as const;
  const cases: Record<string, [RegExp, object]> = {
    "key of another certificate": [
      /server_cert and server_key/,
      { key: other.key },
    ],
    "key that is none": [/server_key/, { key: "junk" }],
    "certificate that is none": [/server_cert/, { certificate: "" }],
    "CA that is none": [/trusted_client_ca/, { trustedCa: [""] }],
  };
  for (const [name, [message, change]] of Object.entries(cases)) {
    await t.step(name, async () => {
      await assert.rejects(serve({ tls: { ...good, ...change } }), { message });
    });
  }
});
