import assert from "node:assert/strict";
import type { Notification } from "../../revocation/signature.ts";
import { followNotifier } from "../../revocation/zeromq.ts";
import { waitFor } from "../lab/wait.ts";
import { RecordedLog, RevocationBench } from "./bench.ts";
import { bytes, FakePublisher, frame, HANDSHAKE } from "./publisher.ts";
import { revocation, signed } from "./signing.ts";

/** Follows a notifier until disposal. */
class Follower extends RecordedLog implements AsyncDisposable {
  readonly received: Notification[] = [];
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(port: number) {
    super();
    this.#ended = followNotifier({ ip: "127.0.0.1", port }, {
      onNotification: (notification) => this.received.push(notification),
      log: this.log,
      signal: this.#stop.signal,
      firstDelayMs: 10,
    });
  }

  async gets(count: number): Promise<void> {
    await waitFor(
      `${count} notifications`,
      () => this.received.length >= count,
      { everyMs: 2 },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }
}

const sent = (value: unknown): Uint8Array => frame(JSON.stringify(value));

Deno.test("followNotifier() passes on what the publisher sends", async () => {
  await using publisher = FakePublisher.listen();
  await using follower = new Follower(publisher.port);
  await publisher.subscribed();
  const [one, two] = [revocation(1), signed("ä\u{1f512}")];
  await publisher.send(bytes(sent(one), sent({ ...two, more: 1 })));
  await follower.gets(2);
  assert.deepEqual(follower.received, [one, two]);
  assert.deepEqual(follower.lines, [
    `info Listening for revocations over ZeroMQ from 127.0.0.1:${publisher.port}`,
  ]);
});

Deno.test("followNotifier() skips what is no notification", async () => {
  await using publisher = FakePublisher.listen();
  await using follower = new Follower(publisher.port);
  await publisher.subscribed();
  const hostile = [
    frame(""),
    frame("hello"),
    frame(bytes(0xff, 0xfe)),
    sent(null),
    sent([]),
    sent({ msg: "{}" }),
    sent({ msg: {}, signature: "" }),
    sent({ msg: "{}", signature: 1 }),
    bytes(frame("topic", 1), sent(revocation())),
  ];
  await publisher.send(bytes(...hostile, sent(revocation(1))));
  await follower.gets(1);
  assert.deepEqual(follower.received.length, 1);
  assert.equal(
    follower.count(/^warn Revocation dropped: not what a notifier sends$/),
    hostile.length,
  );
});

Deno.test("followNotifier() connects anew when the publisher restarts", async () => {
  const first = FakePublisher.listen();
  const { port } = first;
  await using follower = new Follower(port);
  await first.subscribed();
  await first.send(sent(revocation(1)));
  await follower.gets(1);
  await first[Symbol.asyncDispose]();
  await follower.has(/^debug Not listening .*refused/);
  assert.equal(follower.count(/^warn Not listening /), 1);

  await using second = FakePublisher.listen({ port });
  await second.subscribed();
  await second.send(sent(revocation(2)));
  await follower.gets(2);
  assert.equal(follower.count(/^info Listening/), 2);
});

Deno.test("followNotifier() connects anew after a message that is too large", async () => {
  await using publisher = FakePublisher.listen();
  await using follower = new Follower(publisher.port);
  await publisher.subscribed();
  await publisher.send(bytes(2, 0, 0, 0, 0, 0, 0x20, 0, 1));
  await follower.has(/^warn Not listening .* 2097153 bytes, expected at most/);
  await publisher.subscribed(2);
  await publisher.send(sent(revocation()));
  await follower.gets(1);
});

Deno.test("followNotifier() ends at once, whatever it is doing", async (t) => {
  const rows: readonly (readonly [string, () => FakePublisher])[] = [
    ["connected", () => FakePublisher.listen()],
    ["in the handshake", () => FakePublisher.listen({ opening: bytes(0xff) })],
    [
      "between two attempts",
      () => FakePublisher.listen({ opening: bytes(HANDSHAKE, 0xff) }),
    ],
  ];
  for (const [name, listen] of rows) {
    await t.step(name, async () => {
      await using publisher = listen();
      const follower = new Follower(publisher.port);
      await waitFor("a connection", () => publisher.received.length > 0);
      const begin = performance.now();
      await follower[Symbol.asyncDispose]();
      assert.ok(performance.now() - begin < 1_000);
    });
  }
});

Deno.test("followNotifier() survives a host that is not there", async () => {
  await using follower = new Follower(1);
  await follower.has(/^warn Not listening .* from 127\.0\.0\.1:1, will go on/);
  await follower.has(/^debug Not listening/, 2);
  assert.equal(follower.count(/^warn/), 1);
});

Deno.test("Revocations acts on a genuine message over ZeroMQ, once", async () => {
  await using publisher = FakePublisher.listen();
  await using bench = await RevocationBench.open({
    config: {
      notifications: {
        kind: "rest_and_zeromq",
        ip: "127.0.0.1",
        port: publisher.port,
      },
    },
  });
  await bench.deliver({ action: "echo ran" });
  await publisher.subscribed();
  const forged = { ...revocation(2), msg: revocation(1).msg };
  await publisher.send(bytes(sent(forged), sent(revocation(1))));
  bench.revocations.submit(revocation(1));
  await bench.has(/^warn Revocation dropped: The signature is not one by/);
  await bench.has(/^info Revocation dropped, it came before/);
  await bench.has(/action action succeeded$/);
  assert.deepEqual(bench.output, ["ran"]);
});
