import assert from "node:assert/strict";
import fc from "fast-check";
import { ZmtpError, ZmtpSubscription } from "../../revocation/zmtp.ts";
import {
  bytes,
  FakePublisher,
  frame,
  greeting,
  HANDSHAKE,
  ready,
} from "./publisher.ts";

const LIMIT = 100_000;

/** Subscribes to `publisher` and runs `work` with the subscription. */
async function subscribed<T>(
  publisher: FakePublisher,
  work: (subscription: ZmtpSubscription) => Promise<T>,
  handshakeLimitMs = 5_000,
): Promise<T> {
  using connection = await Deno.connect({ port: publisher.port });
  return await work(
    await ZmtpSubscription.begin(connection, {
      messageLimit: LIMIT,
      handshakeLimitMs,
    }),
  );
}

/** What a subscriber makes of the first `count` messages in `data`. */
async function messagesIn(
  data: Uint8Array,
  count: number,
  pieceSize?: number,
): Promise<(string | undefined)[]> {
  await using publisher = FakePublisher.listen();
  return await subscribed(publisher, async (subscription) => {
    await publisher.subscribed();
    const sending = publisher.send(data, pieceSize);
    const messages: (string | undefined)[] = [];
    while (messages.length < count) {
      const message = await subscription.next();
      messages.push(message && new TextDecoder().decode(message));
    }
    await sending;
    return messages;
  });
}

Deno.test("ZmtpSubscription.begin() introduces itself and subscribes to all", async () => {
  await using publisher = FakePublisher.listen();
  await subscribed(publisher, async () => await publisher.subscribed());
  const wanted = bytes(
    ...[0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0],
    ...["NULL", new Uint8Array(16), 0, new Uint8Array(31)],
    ...[4, 25, 5, "READY", 11, "Socket-Type", 0, 0, 0, 3, "SUB", 0, 1, 1],
  );
  assert.deepEqual(publisher.received, [[...wanted]]);
});

Deno.test("ZmtpSubscription.next() gives whole messages", async (t) => {
  const long = "x".repeat(70_000);
  const rows: readonly (readonly [string, Uint8Array, unknown[]])[] = [
    ["a short one", frame("hello"), ["hello"]],
    ["none of its bytes", frame(""), [""]],
    ["a long one", frame(long), [long]],
    ["a short one in the long form", frame("hello", 2), ["hello"]],
    ["the largest", frame("x".repeat(LIMIT)), ["x".repeat(LIMIT)]],
    ["two at once", bytes(frame("one"), frame("two")), ["one", "two"]],
    [
      "one of two frames",
      bytes(frame("topic", 1), frame("one"), frame("two")),
      [undefined, "two"],
    ],
    [
      "commands between",
      bytes(frame(bytes(7, "UNKNOWN"), 4), frame("one"), frame("", 4)),
      ["one"],
    ],
  ];
  for (const [name, data, wanted] of rows) {
    await t.step(name, async () => {
      assert.deepEqual(await messagesIn(data, wanted.length), wanted);
    });
  }
});

Deno.test("ZmtpSubscription.next() does not care how bytes arrive", async () => {
  const texts = ["one", "", "x".repeat(300), "last"];
  const data = bytes(...texts.map((text) => frame(text)));
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: data.length }), async (size) => {
      assert.deepEqual(await messagesIn(data, texts.length, size), texts);
    }),
    { numRuns: 15, examples: [[1]] },
  );
});

Deno.test("ZmtpSubscription.next() answers heartbeats", async () => {
  await using publisher = FakePublisher.listen();
  await subscribed(publisher, async (subscription) => {
    await publisher.subscribed();
    await publisher.send(bytes(
      frame(bytes(4, "PING", 0, 10, "context"), 4),
      frame("after"),
    ));
    await subscription.next();
    const pong = [...bytes(4, 12, 4, "PONG", "context")];
    while (publisher.received[0]?.slice(-pong.length).join() !== pong.join()) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  });
});

Deno.test("ZmtpSubscription refuses peers that break the protocol", async (t) => {
  const rows: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ["HTTP", bytes("HTTP/1.1 400 Bad Request\r\n".repeat(9)), /not speak Zero/],
    ["zeros", new Uint8Array(64), /does not speak ZeroMQ's protocol$/],
    ["an old version", greeting({ version: 1 }), /speaks ZMTP 1, expected 3$/],
    ["CURVE", greeting({ mechanism: "CURVE" }), /demands authentication/],
    ["no READY", bytes(greeting(), frame("READY")), /refused the handshake$/],
    [
      "ERROR",
      bytes(greeting(), frame(bytes(5, "ERROR", 2, "no"), 4)),
      /refused the handshake$/,
    ],
    [
      "no publisher",
      bytes(greeting(), ready("DEALER")),
      /no ZeroMQ publisher$/,
    ],
    [
      "no type",
      bytes(greeting(), frame(bytes(5, "READY"), 4)),
      /no ZeroMQ publisher$/,
    ],
    [
      "a property cut short",
      bytes(greeting(), frame(bytes(5, "READY", 11, "Socket"), 4)),
      /no ZeroMQ publisher$/,
    ],
    [
      "a property too long",
      bytes(
        greeting(),
        frame(bytes(5, "READY", 1, "x", 0xff, 0xff, 0xff, 0xff, "PUB"), 4),
      ),
      /no ZeroMQ publisher$/,
    ],
    [
      "unknown flags",
      bytes(HANDSHAKE, 8, 0),
      /frame with unknown flags$/,
    ],
    [
      "a frame over the limit",
      bytes(HANDSHAKE, frame("x".repeat(LIMIT + 1))),
      /frame of 100001 bytes, expected at most 100000$/,
    ],
    [
      "a frame of 16 EiB",
      bytes(HANDSHAKE, 2, new Uint8Array(8).fill(0xff)),
      /frame of 18446744073709551615 bytes/,
    ],
  ];
  for (const [name, opening, wanted] of rows) {
    await t.step(name, async () => {
      await using publisher = FakePublisher.listen({ opening });
      await assert.rejects(
        subscribed(publisher, async (subscription) => {
          await subscription.next();
        }),
        (error) => {
          assert.ok(error instanceof ZmtpError, String(error));
          assert.match(error.message, wanted);
          return true;
        },
      );
    });
  }
});

Deno.test("ZmtpSubscription refuses every handshake that stops half way", async () => {
  for (let size = 0; size < HANDSHAKE.length; size += 7) {
    await using publisher = FakePublisher.listen({
      opening: HANDSHAKE.slice(0, size),
    });
    await assert.rejects(
      subscribed(publisher, () => Promise.resolve(), 20),
      { name: "ZmtpError", message: /took too long over the handshake$/ },
    );
  }
});

Deno.test("ZmtpSubscription.next() makes messages or an error of any bytes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), async (data) => {
      const opening = bytes(HANDSHAKE, data);
      const publisher = FakePublisher.listen({ opening });
      await subscribed(publisher, async (subscription) => {
        await publisher.subscribed();
        await publisher[Symbol.asyncDispose]();
        await assert.rejects(async () => {
          for (;;) await subscription.next();
        }, (error) => {
          const isKnown = error instanceof ZmtpError ||
            error instanceof Deno.errors.ConnectionReset ||
            error instanceof Deno.errors.BrokenPipe;
          return isKnown;
        });
      });
    }),
    { numRuns: 30 },
  );
});

Deno.test("ZmtpSubscription.next() fails when the publisher leaves", async () => {
  const publisher = FakePublisher.listen();
  await subscribed(publisher, async (subscription) => {
    await publisher.subscribed();
    await publisher.send(frame("x".repeat(100)).subarray(0, 50));
    await publisher[Symbol.asyncDispose]();
    await assert.rejects(subscription.next());
  });
});
