import assert from "node:assert/strict";
import { faulty } from "../../../tpm/transport/faulty.ts";
import { type Exchange, recorder } from "../../../tpm/transport/recorder.ts";
import { replay } from "../../../tpm/transport/replay.ts";
import { TransportError } from "../../../tpm/transport/transport.ts";

const EXCHANGES: readonly Exchange[] = [
  { command: "01", response: "0a0b" },
  { command: "02", response: "0c" },
];
const FIRST = Uint8Array.of(1);
const SECOND = Uint8Array.of(2);

Deno.test("replay() answers the recorded commands in their order", async () => {
  await using transport = replay(EXCHANGES);
  assert.equal((await transport.transmit(FIRST)).toHex(), "0a0b");
  assert.equal((await transport.transmit(SECOND)).toHex(), "0c");
});

Deno.test("replay() refuses any other command", async () => {
  const transport = replay(EXCHANGES);
  await assert.rejects(
    transport.transmit(SECOND),
    new TransportError("Exchange 1: sent 02, recorded 01"),
  );
});

Deno.test("replay() refuses commands after the recording", async () => {
  await using transport = replay(EXCHANGES.slice(0, 1));
  await transport.transmit(FIRST);
  await assert.rejects(
    transport.transmit(FIRST),
    new TransportError("Exchange 2: sent 01, recorded nothing more"),
  );
  // It was all asked for, so disposing of it does not fail.
});

Deno.test("replay() fails to close while something was not asked for", async () => {
  const transport = replay(EXCHANGES);
  await transport.transmit(FIRST);
  await assert.rejects(
    async () => await transport[Symbol.asyncDispose](),
    new TransportError("1 recorded exchanges were never asked for"),
  );
});

Deno.test("recorder() hands over every exchange", async () => {
  const recorded: Exchange[] = [];
  await using transport = recorder(
    replay(EXCHANGES),
    (exchange) => recorded.push(exchange),
  );
  await transport.transmit(FIRST);
  await transport.transmit(SECOND);
  assert.deepEqual(recorded, EXCHANGES);
});

Deno.test("recorder() records no exchange that failed", async () => {
  const recorded: Exchange[] = [];
  const transport = recorder(
    replay([]),
    (exchange) => recorded.push(exchange),
  );
  await assert.rejects(transport.transmit(FIRST), TransportError);
  assert.deepEqual(recorded, []);
});

Deno.test("faulty() replaces a response that the TPM never gave", async () => {
  await using transport = faulty(
    replay(EXCHANGES),
    (_, index) =>
      index === 1 ? { kind: "response", response: SECOND } : undefined,
  );
  assert.equal((await transport.transmit(FIRST)).toHex(), "0a0b");
  assert.equal((await transport.transmit(FIRST)).toHex(), "02");
  assert.equal((await transport.transmit(SECOND)).toHex(), "0c");
});

Deno.test("faulty() fails before or after the TPM got the command", async (t) => {
  const error = new TransportError("cut off");
  for (const delivered of [false, true]) {
    await t.step(delivered ? "after" : "before", async () => {
      const recorded: Exchange[] = [];
      const inner = recorder(
        replay(EXCHANGES.slice(0, 1)),
        (exchange) => recorded.push(exchange),
      );
      const transport = faulty(
        inner,
        () => ({ kind: "error", error, delivered }),
      );
      await assert.rejects(transport.transmit(FIRST), error);
      assert.equal(recorded.length, delivered ? 1 : 0);
    });
  }
});

Deno.test("wrappers are the transport that they wrap, for messages", () => {
  const inner = replay([]);
  for (
    const outer of [
      recorder(inner, () => {}),
      faulty(inner, () => undefined),
    ]
  ) {
    assert.equal(outer.target, inner.target);
    assert.equal(outer.hasResourceManager, inner.hasResourceManager);
  }
});
