import assert from "node:assert/strict";
import { IdentityRefusedError } from "../../agent/registrar_dialogue.ts";
import type { ApiVersion } from "../../config/api_versions.ts";
import {
  answer,
  type Answers,
  BLOB,
  FakeRegistrar,
  versions,
} from "./support/fake_registrar.ts";
import {
  AGENT,
  assertRefused,
  attempt,
  DATA,
  DIALOGUE,
  play,
  REGISTERED,
  UUID,
} from "./support/registering.ts";

Deno.test("register() speaks with the registrar as contract section 4 says", async () => {
  await using registrar = FakeRegistrar.start();
  const { error, lines } = await attempt(registrar.port);
  assert.equal(error, undefined);
  assert.deepEqual(registrar.asked, DIALOGUE);
  const [, post, put] = registrar.requests;
  assert.equal(post?.body, JSON.stringify(DATA));
  assert.equal(put?.body, '{"auth_tag":"00ff"}');
  const { port } = registrar;
  assert.deepEqual(lines, [
    `info Requesting registrar API version from http://127.0.0.1:${port}`,
    `debug connecting to 127.0.0.1:${port}`,
    `info SUCCESS: Agent ${UUID} registered`,
    `info SUCCESS: Agent ${UUID} activated`,
  ]);
});

Deno.test("register() hands the registrar's credential to the TPM", async () => {
  let opened = "";
  await play({}, {
    activate: ({ credentialBlob, secret }) => {
      opened = `${credentialBlob.toHex()} ${secret.toHex()}`;
      return Promise.resolve("");
    },
  });
  assert.equal(opened, "1111 2222");
});

Deno.test("register() negotiates the version by contract section 4.2", async (t) => {
  const good = answer(200, { blob: BLOB });
  const rows: readonly {
    readonly name: string;
    readonly version: () => Response;
    readonly posts?: Answers;
    readonly tried: readonly ApiVersion[];
    readonly refusal?: RegExp;
  }[] = [
    { name: "the current one", version: versions("2.6"), tried: ["2.6"] },
    { name: "an older current one", version: versions("2.2"), tried: ["2.2"] },
    {
      name: "the newest of the supported ones",
      version: versions("3.0", ["1.0", "2.1", "2.2", "2.3", "3.0"]),
      tried: ["2.2"],
    },
    {
      name: "an older supported one when that fails",
      version: versions("3.0", ["2.1", "2.2", "3.0"]),
      posts: [answer(400), good],
      tried: ["2.2", "2.1"],
    },
    {
      name: "no other when the current one fails",
      version: versions("2.6"),
      posts: [answer(404)],
      tried: ["2.6"],
      refusal: /speaks none of API versions 2\.1, 2\.2, 2\.6; check option/,
    },
    {
      name: "no common one",
      version: versions("3.0", ["3.0", "2.3"]),
      tried: [],
      refusal: /speaks none of API versions 2\.1, 2\.2, 2\.6; check option/,
    },
    {
      name: "no list of versions",
      version: answer(200, { current_version: 2.6 }),
      tried: [],
      refusal: /speaks none of API versions/,
    },
    {
      name: "from newest to oldest when the registrar does not tell",
      version: answer(404),
      posts: [answer(404), answer(405), good],
      tried: ["2.6", "2.2", "2.1"],
    },
    {
      name: "past a refusal of one version",
      version: answer(405),
      posts: [answer(400), good],
      tried: ["2.6", "2.2"],
    },
    {
      name: "none at all",
      version: answer(400),
      posts: [answer(404)],
      tried: ["2.6", "2.2", "2.1"],
      refusal: /speaks none of API versions/,
    },
    {
      name: "refused in all",
      version: answer(404),
      posts: [answer(400)],
      tried: ["2.6", "2.2", "2.1"],
      refusal: /refuses the registration of agent .* 400 \("Status 400"\); its/,
    },
    {
      name: "not past a 403",
      version: answer(404),
      posts: [answer(403)],
      tried: ["2.6"],
      refusal: /regdelete/,
    },
  ];
  for (const { name, version, posts = [good], tried, refusal } of rows) {
    await t.step(name, async () => {
      const { asked, error } = await play({ GET: [version], POST: posts });
      const paths = tried.map((v) => `POST /v${v}/${AGENT}`);
      const last = refusal === undefined
        ? [`PUT /v${tried.at(-1)}/${AGENT}`]
        : [];
      assert.deepEqual(asked, ["GET /version", ...paths, ...last]);
      if (refusal === undefined) assert.equal(error, undefined);
      else assertRefused(error, refusal);
    });
  }
});

Deno.test("register() takes 403 as final and says what to do", async () => {
  const { asked, error, lines } = await play({ POST: [answer(403)] });
  assert.deepEqual(asked, REGISTERED);
  assertRefused(
    error,
    new RegExp(`keylime_tenant -c regdelete -u ${UUID}.*"Status 403"`),
  );
  assert.ok(error instanceof IdentityRefusedError);
  assert.doesNotMatch(lines.join("\n"), /again/);
});

Deno.test("register() takes every other refusal as final", async (t) => {
  for (const status of [301, 400, 401, 409, 422]) {
    await t.step(String(status), async () => {
      const { asked, error } = await play({ POST: [answer(status)] });
      assert.deepEqual(asked, REGISTERED);
      assertRefused(error, new RegExp(`with status ${status} `));
      assert.ok(!(error instanceof IdentityRefusedError));
    });
  }
});
