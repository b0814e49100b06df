import assert from "node:assert/strict";
import fc from "fast-check";
import { createApp } from "../../api/app.ts";
import { streamedSuccess, success } from "../../api/envelope.ts";
import { API_VERSIONS } from "../../config/api_versions.ts";
import { attesterWith, recordingLog } from "./support/attester.ts";
import { NO_KEYS } from "./support/keys.ts";
import { NO_REVOCATIONS } from "./support/revocations.ts";
import {
  open,
  readToEnd,
  readUntil,
  requestText,
  serve,
  type TestServer,
} from "./support/server.ts";

const PATH = "/v2.6/quotes/integrity?nonce=abc&mask=0x400&partial=1";

/** A server whose measurement list is what `list` gives, and its log. */
async function serveList(
  list: UnderlyingDefaultSource<string>,
): Promise<TestServer> {
  const { log, lines } = recordingLog();
  const app = createApp({
    attester: attesterWith({
      integrityEvidence: () =>
        Promise.resolve({
          quote: "rQ",
          imaList: { text: new ReadableStream(list), entry: 0 },
        }),
    }),
    keys: NO_KEYS,
    revocations: NO_REVOCATIONS,
    apiVersions: API_VERSIONS,
    log,
  });
  return { ...await serve({ app, log }), lines };
}

Deno.test("streamedSuccess() gives the text of success() for any pieces", async () => {
  const pieces = fc.array(fc.string({ unit: "binary" }));
  await fc.assert(
    fc.asyncProperty(pieces, fc.string(), async (pieces, other) => {
      const results = { first: other, list: "", last: `"list":""${other}` };
      const streamed = streamedSuccess(results, {
        name: "list",
        stream: ReadableStream.from(pieces),
        onFailure: (error) => assert.fail(String(error)),
      });
      const whole = success({ ...results, list: pieces.join("") });
      assert.equal(await streamed.text(), await whole.text());
      assert.equal(streamed.status, 200);
      assert.deepEqual(
        streamed.headers.get("Content-Type"),
        whole.headers.get("Content-Type"),
      );
    }),
  );
});

Deno.test("an integrity quote with a long list goes out piece by piece", async () => {
  const released = Promise.withResolvers<void>();
  await using server = await serveList({
    start: (controller) => controller.enqueue("first\n"),
    pull: async (controller) => {
      await released.promise;
      controller.enqueue("second\n");
      controller.close();
    },
  });
  using client = await open(server, requestText(PATH));
  await readUntil(client, "first");
  released.resolve();
  const rest = await readToEnd(client);
  assert.match(rest, /second\\n/);
  assert.match(rest, /","ima_measurement_list_entry":0}}/);
});

Deno.test("a client that leaves in the middle of a long list ends its stream", async () => {
  const cancelled = Promise.withResolvers<void>();
  await using server = await serveList({
    pull: (controller) => controller.enqueue("x".repeat(65_536)),
    cancel: () => cancelled.resolve(),
  });
  const client = await open(server, requestText(PATH));
  await readUntil(client, "xxxx");
  client.close();
  await cancelled.promise;
});

Deno.test("a long list that fails in the middle cuts the answer off", async () => {
  await using server = await serveList({
    start: (controller) => controller.enqueue("first\n"),
    pull: (controller) => controller.error(new Error("the disk is gone")),
  });
  using client = await open(server, requestText(PATH));
  const answer = await readToEnd(client);
  assert.doesNotMatch(answer, /ima_measurement_list_entry|the disk/);
  assert.doesNotMatch(answer, /\r\n0\r\n\r\n$/);
  assert.deepEqual(server.lines.filter((line) => line.startsWith("error")), [
    "error An integrity quote was cut off: the disk is gone",
  ]);
  using next = await open(server, requestText("/version"));
  assert.match(await readToEnd(next), /^HTTP\/1.1 200/);
});
