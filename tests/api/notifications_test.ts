import assert from "node:assert/strict";
import { createApp } from "../../api/app.ts";
import { BODY_LIMIT } from "../../api/request_body.ts";
import { API_VERSIONS } from "../../config/api_versions.ts";
import { attesterWith, recordingLog } from "./support/attester.ts";
import { NO_KEYS } from "./support/keys.ts";
import { recordingReceiver } from "./support/revocations.ts";
import { serve } from "./support/server.ts";

const PATH = "/v2.6/notifications/revocation";
const GOOD = '{"msg":"{}","signature":"","other":1}';

interface Answer {
  readonly status: number;
  readonly text: string;
}

function appWith(
  revocations = recordingReceiver(),
): ReturnType<typeof createApp> {
  const { log } = recordingLog();
  return createApp({
    attester: attesterWith(),
    keys: NO_KEYS,
    revocations,
    apiVersions: API_VERSIONS,
    log,
  });
}

async function post(
  body: BodyInit,
  { revocations = recordingReceiver(), type = "application/json" } = {},
): Promise<Answer> {
  const response = await appWith(revocations).request(PATH, {
    method: "POST",
    headers: { "Content-Type": type },
    body,
  });
  return { status: response.status, text: await response.text() };
}

Deno.test("POST notifications/revocation passes the message on as it is", async () => {
  const revocations = recordingReceiver();
  const msg = ' {"b": "\u00e4\u{1f512}", "a": 1}\n';
  const answer = await post(JSON.stringify({ msg, signature: "AA==" }), {
    revocations,
    type: "application/json; charset=utf-8",
  });
  assert.deepEqual(answer, {
    status: 200,
    text: '{"code":200,"status":"Success","results":null}',
  });
  assert.deepEqual(revocations.received, [{ msg, signature: "AA==" }]);
});

Deno.test("POST notifications/revocation exists in every version", async (t) => {
  for (const version of API_VERSIONS) {
    await t.step(version, async () => {
      const response = await appWith().request(
        `/v${version}/notifications/revocation`,
        {
          method: "POST",
          headers: { "Content-Type": "application/vnd.keylime+json" },
          body: GOOD,
        },
      );
      assert.equal(response.status, 200);
      await response.body?.cancel();
    });
  }
});

Deno.test("POST notifications/revocation tells when nobody can take it", async () => {
  assert.deepEqual(
    await post(GOOD, { revocations: recordingReceiver(false) }),
    {
      status: 500,
      text:
        '{"code":500,"status":"Unable to take a revocation now","results":{}}',
    },
  );
});

Deno.test("notifications/revocation answers other methods with an empty 405", async (t) => {
  for (const method of ["GET", "HEAD", "PUT", "DELETE"]) {
    await t.step(method, async () => {
      const response = await appWith().request(PATH, { method });
      assert.equal(response.status, 405);
      assert.equal(response.headers.get("Allow"), "POST");
      assert.equal(await response.text(), "");
    });
  }
});

Deno.test("POST notifications/revocation refuses other bodies", async (t) => {
  const rows: readonly (readonly [string, BodyInit, RegExp, string?])[] = [
    ["no body", "", /invalid JSON/],
    ["no JSON", "revoke!", /invalid JSON/],
    ["half a body", GOOD.slice(0, -1), /invalid JSON/],
    ["no UTF-8", new Uint8Array([0x22, 0xff, 0x22]), /invalid JSON/],
    ["an array", "[]", /expected an object/],
    ["a text", '"msg"', /expected an object/],
    ["null", "null", /expected an object/],
    ["no msg", '{"signature":""}', /missing field `msg`/],
    ["no signature", '{"msg":""}', /missing field `signature`/],
    ["a null signature", '{"msg":"","signature":null}', /missing field `sig/],
    ["a number", '{"msg":1,"signature":""}', /`msg` is no string/],
    ["an object", '{"msg":{},"signature":""}', /`msg` is no string/],
    ["an inherited name", '{"__proto__":{"msg":""}}', /missing field `msg`/],
    ["plain text", GOOD, /Content type error/, "text/plain"],
    ["a form", GOOD, /Content type error/, "application/x-json-form"],
    [
      "too many bytes",
      `{"msg":"${"a".repeat(BODY_LIMIT)}","signature":""}`,
      /larger than allowed/,
    ],
  ];
  for (const [name, body, wanted, type] of rows) {
    await t.step(name, async () => {
      const revocations = recordingReceiver();
      const answer = await post(body, {
        revocations,
        ...(type === undefined ? {} : { type }),
      });
      assert.equal(answer.status, 400);
      const { code, status, results } = JSON.parse(answer.text);
      assert.equal(code, 400);
      assert.match(status, wanted);
      assert.deepEqual(results, {});
      assert.deepEqual(revocations.received, []);
    });
  }
});

Deno.test("POST notifications/revocation with 10 MB is refused over the wire", async () => {
  await using server = await serve();
  const response = await fetch(`http://127.0.0.1:${server.port}${PATH}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: `{"msg":"${"a".repeat(10_000_000)}","signature":""}`,
  });
  assert.equal(response.status, 400);
  assert.match((await response.json()).status, /larger than allowed/);
});
