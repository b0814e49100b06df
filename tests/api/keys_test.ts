import assert from "node:assert/strict";
import { createApp } from "../../api/app.ts";
import { BODY_LIMIT } from "../../api/request_body.ts";
import { API_VERSIONS } from "../../config/api_versions.ts";
import { type KeyCase, keyCase } from "../payload/key_vectors.ts";
import { attesterWith, recordingLog } from "./support/attester.ts";
import { type RecordingKeys, recordingKeys } from "./support/keys.ts";
import { NO_REVOCATIONS } from "./support/revocations.ts";
import { serve } from "./support/server.ts";

const SUCCESS = '{"code":200,"status":"Success","results":null}';
const GOOD = keyCase("aes256-text");

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly lines: readonly string[];
}

async function ask(
  path: string,
  keys: RecordingKeys,
  init: RequestInit = {},
): Promise<Answer> {
  const { log, lines } = recordingLog();
  const app = createApp({
    attester: attesterWith(),
    keys,
    revocations: NO_REVOCATIONS,
    apiVersions: API_VERSIONS,
    log,
  });
  const response = await app.request(path, init);
  return { status: response.status, text: await response.text(), lines };
}

async function post(
  path: string,
  body: string | object,
  { keys = recordingKeys(), type = "application/json" } = {},
): Promise<Answer> {
  return await ask(path, keys, {
    method: "POST",
    headers: { "Content-Type": type },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

function refusal(status: string): string {
  return JSON.stringify({ code: 400, status, results: {} });
}

Deno.test("POST keys/ukey takes the tenant's share in every version", async (t) => {
  for (const version of API_VERSIONS) {
    await t.step(version, async () => {
      const keys = recordingKeys();
      const path = `/v${version}/keys/ukey`;
      const answer = await post(path, { ...GOOD.ukey_request, extra: [1] }, {
        keys,
      });
      assert.deepEqual([answer.status, answer.text], [200, SUCCESS]);
      const [taken] = keys.tenantShares;
      assert.equal(
        taken?.share.use((bytes) => bytes.toHex()),
        GOOD.u_hex,
      );
      assert.equal(taken?.authTag.toHex(), GOOD.ukey_request.auth_tag);
      assert.equal(taken?.payload?.toBase64(), GOOD.ukey_request.payload);
    });
  }
});

Deno.test("POST keys/ukey takes a share without a payload", async () => {
  for (const payload of [undefined, null]) {
    const keys = recordingKeys();
    const body = { ...GOOD.ukey_request, payload };
    assert.equal((await post("/v2.6/keys/ukey", body, { keys })).status, 200);
    assert.equal(keys.tenantShares[0]?.payload, undefined);
  }
});

Deno.test("POST keys/vkey takes the verifier's share", async () => {
  const keys = recordingKeys();
  const answer = await post("/v2.1/keys/vkey", GOOD.vkey_request, { keys });
  assert.deepEqual([answer.status, answer.text], [200, SUCCESS]);
  assert.equal(keys.verifierShares[0]?.use((v) => v.toHex()), GOOD.v_hex);
});

Deno.test("POST keys/ukey refuses what is wrong, in the contract's order", async (t) => {
  const { encrypted_key, auth_tag = "", payload = "" } = GOOD.ukey_request;
  const badKey = keyCase("pkcs1v15").ukey_request.encrypted_key;
  const shortKey = keyCase("key-24-bytes").ukey_request.encrypted_key;
  const undecryptable =
    "Failed to decrypt the encrypted key: it was not encrypted with RSA-OAEP " +
    "to this agent's public key";
  const bad64 = (name: string): string => `Invalid base64 encoding in ${name}`;
  const rows: readonly (readonly [string, object | string, string])[] = [
    ["base64 of the key", {
      encrypted_key: "!",
      auth_tag: "!",
      payload: "!",
    }, bad64("encrypted_key")],
    ["no padding", {
      encrypted_key: encrypted_key.replace(/=+$/, ""),
      auth_tag,
    }, bad64("encrypted_key")],
    ["blanks in base64", {
      encrypted_key: `${encrypted_key}\n`,
      auth_tag,
    }, bad64("encrypted_key")],
    [
      "URL-safe base64",
      { encrypted_key: "-_-_", auth_tag },
      bad64("encrypted_key"),
    ],
    [
      "decryption",
      { encrypted_key: badKey, auth_tag: "!", payload: "!" },
      undecryptable,
    ],
    ["an empty key", { encrypted_key: "", auth_tag }, undecryptable],
    ["size of the share", {
      encrypted_key: shortKey,
      auth_tag: "!",
      payload: "!",
    }, "The decrypted key share has 24 bytes, expected 16 or 32"],
    [
      "hex of the tag",
      { encrypted_key, auth_tag: "xy", payload: "!" },
      "Invalid hex encoding in auth_tag",
    ],
    [
      "half a byte",
      { encrypted_key, auth_tag: "abc", payload: "!" },
      "Invalid hex encoding in auth_tag",
    ],
    [
      "size of the tag",
      { encrypted_key, auth_tag: "ab", payload: "!" },
      "auth_tag should have 48 bytes: 1",
    ],
    [
      "an empty tag",
      { encrypted_key, auth_tag: "" },
      "auth_tag should have 48 bytes: 0",
    ],
    [
      "base64 of the payload",
      { encrypted_key, auth_tag, payload: "!" },
      bad64("payload"),
    ],
    [
      "no key",
      { auth_tag, payload },
      "Json deserialize error: missing field `encrypted_key`",
    ],
    [
      "no tag",
      { encrypted_key, payload },
      "Json deserialize error: missing field `auth_tag`",
    ],
    [
      "a key that is a number",
      { encrypted_key: 1, auth_tag },
      "Json deserialize error: `encrypted_key` is no string",
    ],
    [
      "a tag that is null",
      { encrypted_key, auth_tag: null },
      "Json deserialize error: missing field `auth_tag`",
    ],
    [
      "a payload that is a list",
      { encrypted_key, auth_tag, payload: [] },
      "Json deserialize error: `payload` is no string",
    ],
    ["an array", "[]", "Json deserialize error: expected an object"],
    ["null", "null", "Json deserialize error: expected an object"],
    ["no JSON", "{", "Json deserialize error: invalid JSON"],
    ["nothing", "", "Json deserialize error: invalid JSON"],
    [
      "depth",
      "[".repeat(1_000_000),
      "Json deserialize error: invalid JSON",
    ],
    [
      "a member of every object",
      '{"__proto__":{"encrypted_key":"AA==","auth_tag":""}}',
      "Json deserialize error: missing field `encrypted_key`",
    ],
  ];
  for (const [name, body, status] of rows) {
    await t.step(name, async () => {
      const keys = recordingKeys();
      const answer = await post("/v2.6/keys/ukey", body, { keys });
      assert.equal(answer.status, 400);
      assert.equal(answer.text, refusal(status));
      assert.deepEqual(keys.tenantShares, []);
      assert.ok(answer.lines.some((line) => line.startsWith("warn ")));
    });
  }
});

Deno.test("POST keys/ukey answers the given refusals", async (t) => {
  const names = [
    "auth-tag-sha256",
    "auth-tag-not-hex",
    "key-24-bytes",
    "payload-not-base64",
    "oaep-sha256",
    "pkcs1v15",
    "other-key",
    "ciphertext-short",
    "missing-auth-tag",
  ];
  for (const given of names.map((name): KeyCase => keyCase(name))) {
    await t.step(given.name, async () => {
      const { status } = await post("/v2.6/keys/ukey", given.ukey_request);
      assert.equal(status, 400);
    });
  }
});

Deno.test("POST keys/vkey refuses what is wrong", async (t) => {
  const rows: readonly (readonly [string, object | string])[] = [
    ["given flipped ciphertext", keyCase("vkey-ciphertext-flip").vkey_request],
    ["base64", { encrypted_key: "*" }],
    ["nothing in it", {}],
    ["no JSON", "x"],
  ];
  for (const [name, body] of rows) {
    await t.step(name, async () => {
      const keys = recordingKeys();
      const { status } = await post("/v2.6/keys/vkey", body, { keys });
      assert.equal(status, 400);
      assert.deepEqual(keys.verifierShares, []);
    });
  }
});

Deno.test("POST keys/* wants JSON of at most 2 MiB", async (t) => {
  const body = JSON.stringify(GOOD.vkey_request);
  for (
    const [type, status] of [
      ["application/json; charset=utf-8", 200],
      ["APPLICATION/JSON", 200],
      ["application/problem+json", 200],
      ["text/plain", 400],
      ["application/jsonx", 400],
      ["", 400],
    ] as const
  ) {
    await t.step(`type "${type}"`, async () => {
      assert.equal(
        (await post("/v2.6/keys/vkey", body, { type })).status,
        status,
      );
    });
  }
  for (
    const [size, status] of [[BODY_LIMIT, 200], [BODY_LIMIT + 1, 400]] as const
  ) {
    await t.step(`${size} bytes`, async () => {
      const answer = await post("/v2.6/keys/vkey", body.padEnd(size));
      assert.equal(answer.status, status);
    });
  }
});

Deno.test("a body of 10 MB gets its refusal from the real server, which goes on", async () => {
  await using server = await serve();
  const url = `http://127.0.0.1:${server.port}/v2.6/keys/vkey`;
  const headers = { "Content-Type": "application/json" };
  const big = await fetch(url, {
    method: "POST",
    headers,
    body: new Uint8Array(10_000_000),
  });
  assert.equal(big.status, 400);
  assert.match(await big.text(), /larger than allowed, 2097152 bytes/);
  const next = await fetch(url, {
    method: "POST",
    headers,
    body: JSON.stringify(GOOD.vkey_request),
  });
  assert.equal(await next.text(), SUCCESS);
});

Deno.test("GET keys/verify proves the key, once there is one", async (t) => {
  const rows = [
    {
      query: "challenge=abc1",
      proof: "ff",
      status: 200,
      want: '{"code":200,"status":"Success","results":{"hmac":"ff abc1"}}',
    },
    { query: `challenge=${"a".repeat(500)}`, proof: "ff", status: 200 },
    {
      query: "challenge=abc1",
      status: 400,
      want: refusal("Bootstrap key not yet available."),
    },
    {
      query: "challenge=",
      proof: "ff",
      status: 400,
      want: refusal("No challenge provided."),
    },
    {
      query: "",
      proof: "ff",
      status: 400,
      want: refusal("Query deserialize error: missing field `challenge`"),
    },
    {
      query: "challenge=a-b",
      proof: "ff",
      status: 400,
      want: refusal("Parameters should be strictly alphanumeric: a-b"),
    },
    { query: "challenge=a&challenge=b", proof: "ff", status: 400 },
  ];
  for (const { query, proof, status, want } of rows) {
    await t.step(
      `?${query.slice(0, 30)} ${proof ?? "without a key"}`,
      async () => {
        const answer = await ask(
          `/v2.6/keys/verify?${query}`,
          recordingKeys(proof),
        );
        assert.equal(answer.status, status);
        if (want !== undefined) assert.equal(answer.text, want);
      },
    );
  }
});
