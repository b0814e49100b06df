import assert from "node:assert/strict";
import {
  type Attester,
  type IntegrityRequest,
  NonceTooLongError,
} from "../../agent/attester.ts";
import { createApp } from "../../api/app.ts";
import { API_VERSIONS } from "../../config/api_versions.ts";
import { attesterWith, PUBLIC_KEY, recordingLog } from "./support/attester.ts";
import { NO_KEYS } from "./support/keys.ts";
import { NO_REVOCATIONS } from "./support/revocations.ts";

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly lines: readonly string[];
}

async function get(
  path: string,
  changes: Partial<Attester> = {},
): Promise<Answer> {
  const { log, lines } = recordingLog();
  const app = createApp({
    attester: attesterWith(changes),
    keys: NO_KEYS,
    revocations: NO_REVOCATIONS,
    apiVersions: API_VERSIONS,
    log,
  });
  const response = await app.request(path);
  assert.equal(response.headers.get("Content-Type"), "application/json");
  return { status: response.status, text: await response.text(), lines };
}

const ok = (results: string): string =>
  `{"code":200,"status":"Success","results":${results}}`;
const PEM = JSON.stringify(PUBLIC_KEY);
const QUERY = "nonce=abc&mask=0x401&partial=1";

Deno.test("GET agent/info tells who the agent is", async () => {
  assert.equal(
    (await get("/v2.2/agent/info")).text,
    ok(
      '{"agent_uuid":"d432fbb3-d2f1-4a97-9ef7-75bd81c00000","tpm_hash_alg":"sha256","tpm_enc_alg":"rsa","tpm_sign_alg":"rsassa","ak_handle":2147483649}',
    ),
  );
});

Deno.test("GET keys/pubkey gives the payload key as it is", async () => {
  assert.equal((await get("/v2.1/keys/pubkey")).text, ok(`{"pubkey":${PEM}}`));
});

Deno.test("GET quotes/identity gives quote, algorithms and key in order", async () => {
  assert.equal(
    (await get("/v2.6/quotes/identity?nonce=1aB&other=1&other=2")).text,
    ok(
      `{"quote":"rID:1aB","hash_alg":"sha256","enc_alg":"rsa2048","sign_alg":"rsassa","pubkey":${PEM}}`,
    ),
  );
});

Deno.test("GET quotes/integrity leaves out what there is not", async () => {
  const bare = await get(`/v2.6/quotes/integrity?${QUERY}`, {
    integrityEvidence: () => Promise.resolve({ quote: "rQ" }),
  });
  assert.equal(
    bare.text,
    ok(
      '{"quote":"rQ","hash_alg":"sha256","enc_alg":"rsa2048","sign_alg":"rsassa"}',
    ),
  );
});

Deno.test("GET quotes/integrity gives all there is in order", async () => {
  const full = await get(
    "/v2.6/quotes/integrity?nonce=abc&mask=0x401&partial=0",
    {
      integrityEvidence: () =>
        Promise.resolve({
          quote: "rQ",
          bootLog: "AAA=",
          imaList: { text: "", entry: 7 },
        }),
    },
  );
  assert.equal(
    full.text,
    ok(
      `{"quote":"rQ","hash_alg":"sha256","enc_alg":"rsa2048","sign_alg":"rsassa","pubkey":${PEM},"ima_measurement_list":"","mb_measurement_list":"AAA=","ima_measurement_list_entry":7}`,
    ),
  );
});

Deno.test("GET quotes/integrity hands the checked request to the attester", async () => {
  const asked: IntegrityRequest[] = [];
  await get(`/v2.6/quotes/integrity?${QUERY}&ima_ml_entry=12`, {
    integrityEvidence: (request) => {
      asked.push(request);
      return Promise.resolve({ quote: "rQ" });
    },
  });
  assert.deepEqual(asked, [{ nonce: "abc", mask: 0x401, imaEntry: 12 }]);
});

Deno.test("quotes name the key algorithm as their version does", async (t) => {
  const names: readonly (readonly [string, string, string])[] = [
    ["rsa2048", "rsa", "rsa2048"],
    ["ecc256", "ecc", "ecc256"],
    ["rsa3072", "rsa3072", "rsa3072"],
    ["ecc384", "ecc384", "ecc384"],
  ];
  for (const [encryption, before, since] of names) {
    for (const version of API_VERSIONS) {
      await t.step(`${encryption} in ${version}`, async () => {
        const { text } = await get(`/v${version}/quotes/identity?nonce=a`, {
          algorithms: { hash: "sha256", encryption, signing: "rsassa" },
        });
        const expected = version === "2.5" || version === "2.6"
          ? since
          : before;
        assert.equal(JSON.parse(text).results.enc_alg, expected);
      });
    }
  }
});

Deno.test("a failing attester is a 500 to the client and a reason in the log", async (t) => {
  const failing = (): Promise<never> =>
    Promise.reject(
      new Error("Quote failed", { cause: new Error("TPM_RC_FAILURE") }),
    );
  for (const path of ["identity?nonce=a", `integrity?${QUERY}`]) {
    await t.step(path, async () => {
      const { status, text, lines } = await get(`/v2.6/quotes/${path}`, {
        identityQuote: failing,
        integrityEvidence: failing,
      });
      assert.equal(status, 500);
      assert.equal(
        text,
        '{"code":500,"status":"Unable to retrieve quote","results":{}}',
      );
      const errors = lines.filter((line) => line.startsWith("error"));
      assert.equal(errors.length, 1);
      assert.match(errors[0] ?? "", /Quote failed: TPM_RC_FAILURE/);
    });
  }
});

Deno.test("an attester that throws no Error is a 500 as well", async () => {
  const { status, text } = await get("/v2.6/quotes/identity?nonce=a", {
    identityQuote: () => Promise.reject("nothing"),
  });
  assert.equal(status, 500);
  assert.match(text, /^{"code":500,"status":"Unable to retrieve quote"/);
});

Deno.test("a nonce that only the TPM finds too long is a 400", async () => {
  const { status, text } = await get("/v2.6/quotes/identity?nonce=a", {
    identityQuote: () => Promise.reject(new NonceTooLongError(50)),
  });
  assert.equal(status, 400);
  assert.equal(
    text,
    '{"code":400,"status":"Nonce is too long for this TPM: 50","results":{}}',
  );
});

Deno.test("requests are logged at debug without their nonce, refusals at warn in quotes", async () => {
  const good = await get("/v2.6/quotes/identity?nonce=SECRETNONCE");
  assert.equal(good.lines.length, 1);
  assert.match(good.lines[0] ?? "", /^debug GET "\/v2.6\/quotes\/identity"/);
  assert.doesNotMatch(good.lines.join(), /SECRETNONCE/);

  const bad = await get("/v2.6/quotes/identity?nonce=a%0Aerror%20forged");
  assert.match(bad.lines.join(), /warn .*: "Parameters .*: a\\nerror forged"/);
});

Deno.test("16 requests at once get their own answers", async () => {
  const app = createApp({
    attester: attesterWith(),
    keys: NO_KEYS,
    revocations: NO_REVOCATIONS,
    apiVersions: API_VERSIONS,
    log: recordingLog().log,
  });
  const answers = await Promise.all(
    Array.from({ length: 16 }, async (_, n) => {
      const response = await app.request(`/v2.6/quotes/identity?nonce=n${n}`);
      return (await response.json()).results.quote;
    }),
  );
  assert.deepEqual(answers, Array.from(answers, (_, n) => `rID:n${n}`));
});
