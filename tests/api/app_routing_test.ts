import assert from "node:assert/strict";
import { createApp } from "../../api/app.ts";
import { API_VERSIONS, type ApiVersion } from "../../config/api_versions.ts";
import { attesterWith, recordingLog } from "./support/attester.ts";
import { NO_KEYS } from "./support/keys.ts";
import { NO_REVOCATIONS } from "./support/revocations.ts";

const ALL = API_VERSIONS;

function appOf(apiVersions: readonly ApiVersion[]): ReturnType<
  typeof createApp
> {
  const { log } = recordingLog();
  return createApp({
    attester: attesterWith(),
    keys: NO_KEYS,
    revocations: NO_REVOCATIONS,
    apiVersions,
    log,
  });
}

const error = (code: number, status: string): string =>
  `{"code":${code},"status":"${status}","results":{}}`;

const INTERFACE = {
  server:
    "Not Implemented: Use /2.1, /2.2, /2.3, /2.4, /2.5, /2.6 or /version interfaces",
  get: "Not Implemented: Use /agent, /keys, or /quotes interfaces",
  post: "Not Implemented: Use /keys or /notifications interfaces",
  keysGet:
    "URI not supported, only /pubkey and /verify are supported for GET in /keys interface",
  keysPost:
    "URI not supported, only /ukey and /vkey are supported for POST in /keys interface",
  quotes:
    "URI not supported, only /identity and /integrity are supported for GET in /quotes/ interface",
  notifications:
    "URI not supported, only /revocation is supported for POST in /notifications/ interface",
  agent:
    "URI not supported, only /info is supported for GET in /agent interface",
};

/** Method, path, status text, and for a 405 its Allow header. */
const REFUSED: readonly (readonly [string, string, string, string?])[] = [
  ["GET", "/", INTERFACE.server],
  ["POST", "/", INTERFACE.server],
  ["PUT", "/", "Method is not supported", "GET, POST"],
  ["HEAD", "/", "Method is not supported", "GET, POST"],
  ["OPTIONS", "/", "Method is not supported", "GET, POST"],
  ["GET", "/version/", INTERFACE.server],
  ["GET", "/Version", INTERFACE.server],
  ["GET", "//version", INTERFACE.server],
  ["GET", "/version%2f", INTERFACE.server],
  ["GET", "/v2/quotes/identity", INTERFACE.server],
  ["GET", "/V2.6/quotes/identity", INTERFACE.server],
  ["GET", "/2.6/quotes/identity", INTERFACE.server],
  ["GET", "/v2.6", INTERFACE.get],
  ["GET", "/v2.6/", INTERFACE.get],
  ["GET", "/v2.6/foo", INTERFACE.get],
  ["GET", "/v2.6/quotesx", INTERFACE.get],
  ["GET", "/v2.6%2Fquotes", "API version not supported: v2.6"],
  ["POST", "/v2.6/foo", INTERFACE.post],
  ["DELETE", "/v2.6/foo", "Method is not supported", "GET, POST"],
  ["GET", "/v2.1/agent", INTERFACE.get],
  ["GET", "/v2.1/agent/info", INTERFACE.get],
  ["GET", "/v2.6/keys", INTERFACE.keysGet],
  ["GET", "/v2.6/keys/", INTERFACE.keysGet],
  ["GET", "/v2.6/keys/pubkey/", INTERFACE.keysGet],
  ["GET", "/v2.6/keys/PUBKEY", INTERFACE.keysGet],
  ["GET", "/v2.6/keys/nosuch", INTERFACE.keysGet],
  ["POST", "/v2.6/keys/nosuch", INTERFACE.keysPost],
  [
    "PUT",
    "/v2.6/keys/nosuch",
    "Method is not supported in /keys interface",
    "GET, POST",
  ],
  ["GET", "/v2.6/quotes", INTERFACE.quotes],
  ["GET", "/v2.6/quotes/identity/", INTERFACE.quotes],
  ["GET", "/v2.6/quotes/%2e%2e%2fversion", INTERFACE.quotes],
  ...["POST", "PUT", "HEAD", "DELETE", "PATCH"].map((method) =>
    [
      method,
      "/v2.6/quotes/nosuch",
      "Method is not supported in /quotes/ interface",
      "GET",
    ] as const
  ),
  ["POST", "/v2.6/notifications/nosuch", INTERFACE.notifications],
  ...["GET", "PUT"].map((method) =>
    [
      method,
      "/v2.6/notifications/nosuch",
      "Method is not supported in /notifications/ interface",
      "POST",
    ] as const
  ),
  ["GET", "/v2.2/agent", INTERFACE.agent],
  ["GET", "/v2.2/agent/nosuch", INTERFACE.agent],
  [
    "POST",
    "/v2.2/agent/nosuch",
    "Method is not supported in /agent interface",
    "GET",
  ],
  ["GET", "/v1.0/quotes/identity", "API version not supported: v1.0"],
  ["GET", "/v3.0", "API version not supported: v3.0"],
  ["DELETE", "/v3.0/x?y", "API version not supported: v3.0"],
  ["HEAD", "/v3.0/", "API version not supported: v3.0"],
  ["GET", "/v2.10/keys/pubkey", "API version not supported: v2.10"],
  ["GET", "/v2.6x", "API version not supported: v2.6"],
];

Deno.test("createApp() refuses unknown paths and methods in the words of their scope", async (t) => {
  const app = appOf(ALL);
  for (const [method, path, status, allow] of REFUSED) {
    await t.step(`${method} ${path}`, async () => {
      const response = await app.request(path, { method });
      const code = allow === undefined ? 400 : 405;
      assert.equal(response.status, code);
      assert.equal(response.headers.get("Allow"), allow ?? null);
      assert.equal(response.headers.get("Content-Type"), "application/json");
      const body = method === "HEAD" ? "" : error(code, status);
      assert.equal(await response.text(), body);
    });
  }
});

Deno.test("createApp() answers a wrong method on a registered path with an empty 405", async (t) => {
  const app = appOf(ALL);
  for (
    const path of [
      "/version",
      "/v2.6/agent/info",
      "/v2.1/keys/pubkey",
      "/v2.6/keys/verify",
      "/v2.6/quotes/identity",
      "/v2.6/quotes/integrity",
    ]
  ) {
    for (const method of ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"]) {
      await t.step(`${method} ${path}`, async () => {
        const response = await app.request(path, { method });
        assert.equal(response.status, 405);
        assert.equal(response.headers.get("Allow"), "GET");
        assert.equal(await response.text(), "");
      });
    }
  }
});

Deno.test("createApp() answers a wrong method on a path for POST as well", async (t) => {
  const app = appOf(ALL);
  for (const path of ["/v2.1/keys/ukey", "/v2.6/keys/vkey"]) {
    for (const method of ["GET", "PUT", "DELETE", "HEAD"]) {
      await t.step(`${method} ${path}`, async () => {
        const response = await app.request(path, { method });
        assert.equal(response.status, 405);
        assert.equal(response.headers.get("Allow"), "POST");
        assert.equal(await response.text(), "");
      });
    }
  }
});

Deno.test("createApp() lists the enabled versions under /version", async () => {
  const response = await appOf(["2.1", "2.2"]).request("/version?x=1");
  assert.equal(response.status, 200);
  assert.equal(
    await response.text(),
    '{"code":200,"status":"Success","results":{"supported_version":"2.2","supported_versions":["2.1","2.2"]}}',
  );
});

Deno.test("createApp() treats a version that is not enabled as not supported", async () => {
  const app = appOf(["2.1", "2.2"]);
  const newer = await app.request("/v2.6/keys/pubkey");
  assert.equal(
    await newer.text(),
    error(400, "API version not supported: v2.6"),
  );
  const nowhere = await app.request("/");
  assert.equal(
    await nowhere.text(),
    error(400, "Not Implemented: Use /2.1, /2.2 or /version interfaces"),
  );
});

Deno.test("createApp() bounds the version that a refusal repeats", async () => {
  const response = await appOf(ALL).request(`/v3.${"1".repeat(5000)}`);
  assert.equal(response.status, 400);
  assert.ok((await response.text()).length < 100);
});

Deno.test("createApp() decodes escaped letters of a path, as upstream does", async () => {
  const response = await appOf(ALL).request("/%76ersion");
  assert.equal(response.status, 200);
});

Deno.test("createApp() refuses to serve no version at all", () => {
  assert.throws(() => appOf([]), RangeError);
});
