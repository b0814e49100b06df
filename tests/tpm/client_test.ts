import assert from "node:assert/strict";
import { Tpm } from "../../tpm/client.ts";
import { CodecError } from "../../tpm/codec/error.ts";
import { GetRandom } from "../../tpm/commands/capability.ts";
import type { Executor } from "../../tpm/commands/command.ts";
import { ContextLoad } from "../../tpm/commands/context.ts";
import { Startup } from "../../tpm/commands/startup.ts";
import { TpmError } from "../../tpm/error.ts";
import { faulty } from "../../tpm/transport/faulty.ts";
import { TransportError } from "../../tpm/transport/transport.ts";
import {
  randomBytesResponse,
  refusal,
  type ScriptedTpm,
  scriptedTpm,
} from "./scripted_tpm.ts";

/** Answers TPM2_GetRandom with the number of bytes that were asked for. */
function honestTpm(): ScriptedTpm {
  return scriptedTpm((command) => randomBytesResponse(command.slice(10, 12)));
}

async function randomFrom(tpm: Executor, count: number): Promise<number> {
  const { randomBytes } = await tpm.execute(GetRandom, {
    bytesRequested: count,
  });
  return new DataView(randomBytes.buffer).getUint16(0);
}

function asked(transport: ScriptedTpm): number[] {
  return transport.commands.map((command) =>
    new DataView(command.buffer).getUint16(10)
  );
}

const UP_TO_50 = Array.from({ length: 50 }, (_, index) => index);

Deno.test("callers are served one at a time in the order of asking", async () => {
  const transport = honestTpm();
  await using tpm = new Tpm(transport);
  const answers = await Promise.all(
    UP_TO_50.map((count) => randomFrom(tpm, count)),
  );
  assert.deepEqual(answers, UP_TO_50);
  assert.deepEqual(asked(transport), UP_TO_50);
});

Deno.test("exclusive() keeps others away until its work is done", async () => {
  const transport = honestTpm();
  await using tpm = new Tpm(transport);
  await Promise.all([
    randomFrom(tpm, 1),
    tpm.exclusive(async (leased) => {
      await randomFrom(leased, 2);
      await new Promise((resolve) => setTimeout(resolve, 5));
      await randomFrom(leased, 3);
    }),
    randomFrom(tpm, 4),
  ]);
  assert.deepEqual(asked(transport), [1, 2, 3, 4]);
});

Deno.test("commands of one turn go one after the other, too", async () => {
  const transport = honestTpm();
  await using tpm = new Tpm(transport);
  const answers = await tpm.exclusive((leased) =>
    Promise.all(UP_TO_50.map((count) => randomFrom(leased, count)))
  );
  assert.deepEqual(answers, UP_TO_50);
  assert.deepEqual(asked(transport), UP_TO_50);
});

Deno.test("a turn lasts until its last command is answered", async () => {
  const transport = honestTpm();
  await using tpm = new Tpm(transport);
  const forgotten: Promise<unknown>[] = [];
  await Promise.all([
    tpm.exclusive((leased) => {
      forgotten.push(randomFrom(leased, 1), randomFrom(leased, 2));
      return Promise.resolve();
    }),
    randomFrom(tpm, 3),
  ]);
  await Promise.all(forgotten);
  assert.deepEqual(asked(transport), [1, 2, 3]);
});

Deno.test("an executor is of no use after its turn", async () => {
  const transport = honestTpm();
  await using tpm = new Tpm(transport);
  const leased = await tpm.exclusive((executor) => Promise.resolve(executor));
  await assert.rejects(randomFrom(leased, 1), TypeError);
  assert.deepEqual(asked(transport), []);
});

Deno.test("work that fails does not hold up what is behind it", async () => {
  const transport = scriptedTpm((_, index) =>
    index === 0 ? refusal(0x101) : randomBytesResponse(new Uint8Array(2))
  );
  await using tpm = new Tpm(transport);
  const results = await Promise.allSettled([
    randomFrom(tpm, 1),
    tpm.exclusive(() => {
      throw new RangeError("before any promise");
    }),
    tpm.exclusive(() => Promise.reject(new RangeError("later"))),
    randomFrom(tpm, 2),
  ]);
  assert.deepEqual(results.map(({ status }) => status), [
    "rejected",
    "rejected",
    "rejected",
    "fulfilled",
  ]);
});

Deno.test("exclusive() gives up waiting as soon as it is told", async () => {
  await using tpm = new Tpm(honestTpm());
  const running = Promise.withResolvers<void>();
  const first = tpm.exclusive(() => running.promise);
  const controller = new AbortController();
  let hasRun = false;
  const second = tpm.exclusive(() => {
    hasRun = true;
    return Promise.resolve();
  }, controller.signal);
  const third = randomFrom(tpm, 3);
  const reason = new Error("no longer wanted");
  controller.abort(reason);
  await assert.rejects(second, reason);
  running.resolve();
  await first;
  assert.equal(await third, 3);
  assert.equal(hasRun, false);
});

Deno.test("exclusive() does not wait at all once it is too late", async () => {
  await using tpm = new Tpm(honestTpm());
  const running = Promise.withResolvers<void>();
  const first = tpm.exclusive(() => running.promise);
  const reason = new Error("no longer wanted");
  await assert.rejects(
    tpm.exclusive(() => Promise.resolve(), AbortSignal.abort(reason)),
    reason,
  );
  running.resolve();
  await first;
});

Deno.test("exclusive() never abandons work that has begun", async () => {
  const transport = honestTpm();
  await using tpm = new Tpm(transport);
  const controller = new AbortController();
  const answer = await tpm.exclusive((leased) => {
    controller.abort(new Error("too late"));
    return randomFrom(leased, 7);
  }, controller.signal);
  assert.equal(answer, 7);
});

const AT_ONCE = { initialDelayMs: 0, maxDelayMs: 0, attempts: 5 };

Deno.test("a command that the TPM puts off is sent again", async (t) => {
  for (
    const [name, code] of [
      ["TPM_RC_RETRY", 0x922],
      ["TPM_RC_YIELDED", 0x908],
      ["TPM_RC_TESTING", 0x90a],
    ] as const
  ) {
    await t.step(name, async () => {
      const inner = honestTpm();
      const transport = faulty(
        inner,
        (_, index) =>
          index < 5 ? { kind: "response", response: refusal(code) } : undefined,
      );
      await using tpm = new Tpm(transport, { resend: AT_ONCE });
      assert.equal(await randomFrom(tpm, 9), 9);
      assert.deepEqual(asked(inner), [9]);
    });
  }
});

Deno.test("a TPM that puts off for ever is given up with its own error", async () => {
  const transport = scriptedTpm(() => refusal(0x922));
  await using tpm = new Tpm(transport, { resend: AT_ONCE });
  await assert.rejects(randomFrom(tpm, 1), (error) => {
    assert.ok(error instanceof TpmError);
    assert.equal(
      error.message,
      "TPM2_GetRandom failed: TPM_RC_RETRY (0x922)",
    );
    return true;
  });
  assert.equal(transport.commands.length, 1 + AT_ONCE.attempts);
});

Deno.test("pauses between sendings double up to their maximum", async () => {
  const times: number[] = [];
  const transport = scriptedTpm(() => {
    times.push(performance.now());
    return refusal(0x922);
  });
  await using tpm = new Tpm(transport, {
    resend: { initialDelayMs: 8, maxDelayMs: 20, attempts: 3 },
  });
  await assert.rejects(randomFrom(tpm, 1), TpmError);
  const pauses = times.slice(1).map((time, at) => time - (times[at] ?? 0));
  // A busy machine makes pauses longer, never shorter.
  [8, 16, 20].forEach((least, at) => {
    assert.ok((pauses[at] ?? 0) >= least - 1, String(pauses));
  });
});

Deno.test("a command that the TPM refuses is not sent again", async () => {
  for (const code of [0x101, 0x902, 0x921, 0x923, 0x2c4]) {
    const transport = scriptedTpm(() => refusal(code));
    await using tpm = new Tpm(transport, { resend: AT_ONCE });
    await assert.rejects(randomFrom(tpm, 1), TpmError);
    assert.equal(transport.commands.length, 1);
  }
});

Deno.test("a transport that refused a command in step is used again", async () => {
  const error = new TransportError("busy", { isInStep: true });
  const lost: Error[] = [];
  await using tpm = new Tpm(
    faulty(
      honestTpm(),
      (_, index) =>
        index === 1 ? { kind: "error", error, delivered: false } : undefined,
    ),
    { onLost: (failure) => lost.push(failure) },
  );
  assert.equal(await randomFrom(tpm, 1), 1);
  await assert.rejects(randomFrom(tpm, 2), error);
  assert.equal(await randomFrom(tpm, 3), 3);
  assert.deepEqual(lost, []);
});

Deno.test("a transport that failed once is not used again", async (t) => {
  for (const delivered of [false, true]) {
    await t.step(delivered ? "after sending" : "before sending", async () => {
      const inner = honestTpm();
      const error = new TransportError("cut off");
      const lost: Error[] = [];
      await using tpm = new Tpm(
        faulty(
          inner,
          (_, index) =>
            index === 1 ? { kind: "error", error, delivered } : undefined,
        ),
        { onLost: (failure) => lost.push(failure) },
      );
      assert.equal(await randomFrom(tpm, 1), 1);
      await assert.rejects(randomFrom(tpm, 2), error);
      for (const count of [3, 4]) {
        await assert.rejects(randomFrom(tpm, count), (later) => {
          assert.ok(later instanceof TransportError);
          assert.equal(later.message, "a scripted TPM is out of use");
          assert.equal(later.cause, error);
          return true;
        });
      }
      assert.deepEqual(asked(inner), delivered ? [1, 2] : [1]);
      assert.deepEqual(lost, [error]);
    });
  }
});

Deno.test("an answer that is no response of the command is refused", async (t) => {
  const rows: readonly [string, string][] = [
    ["nothing", ""],
    ["one byte", "80"],
    ["half a header", "80010000000a"],
    ["a size that is too small", "80010000000a000000000002abcd"],
    ["a size that is too large", "80010000000f000000000002abcd"],
    ["a tag with sessions", "80020000000e000000000002abcd"],
    ["garbage", "ffffffffffffffffffffffffffff"],
    ["no parameters", "80010000000a00000000"],
    ["short parameters", "80010000000d000000000002ab"],
    ["bytes after the parameters", "80010000000f000000000002abcdef"],
    ["bytes after a refusal", "80010000000b0000010100"],
    ["too many bytes", `80010000004f000000000043${"00".repeat(67)}`],
  ];
  for (const [name, hex] of rows) {
    await t.step(name, async () => {
      const transport = faulty(
        honestTpm(),
        (_, index) =>
          index === 0
            ? { kind: "response", response: Uint8Array.fromHex(hex) }
            : undefined,
      );
      await using tpm = new Tpm(transport);
      await assert.rejects(randomFrom(tpm, 1), CodecError);
      assert.equal(await randomFrom(tpm, 2), 2);
    });
  }
});

Deno.test("a response without its handle is refused", async () => {
  await using tpm = new Tpm(scriptedTpm(() => refusal(0)));
  const context = {
    sequence: 0n,
    savedHandle: 0x8000_0000,
    hierarchy: 0x4000_0001,
    contextBlob: new Uint8Array(0),
  };
  await assert.rejects(tpm.execute(ContextLoad, { context }), CodecError);
});

Deno.test("a client is reached through what its transport says", async () => {
  await using tpm = new Tpm(honestTpm());
  assert.equal(tpm.target, "a scripted TPM");
  assert.equal(tpm.hasResourceManager, false);
});

Deno.test("input that no command can carry is never sent", async () => {
  const transport = honestTpm();
  await using tpm = new Tpm(transport);
  await assert.rejects(
    tpm.execute(GetRandom, { bytesRequested: 0x1_0000 }),
    /TPM2_GetRandom\.bytesRequested: 65536 is not in 0\.\.65535/,
  );
  assert.equal(transport.commands.length, 0);
});

Deno.test("onCommand is told of each command that was answered, and how", async () => {
  const told: (string | undefined)[] = [];
  const transport = scriptedTpm((_, index) => refusal(index === 1 ? 0x922 : 0));
  await using tpm = new Tpm(transport, {
    resend: AT_ONCE,
    onCommand: ({ name }, refusal) => told.push(name, refusal?.code.name),
  });
  await tpm.execute(Startup, { startupType: "clear" });
  await tpm.execute(Startup, { startupType: "clear" });
  assert.deepEqual(told, [
    ...["TPM2_Startup", undefined],
    ...["TPM2_Startup", "TPM_RC_RETRY"],
    ...["TPM2_Startup", undefined],
  ]);
});

Deno.test("closing lets running work clean up and turns away the rest", async () => {
  const transport = honestTpm();
  const tpm = new Tpm(transport);
  const running = tpm.exclusive(async (leased) => {
    await randomFrom(leased, 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    return await randomFrom(leased, 2);
  });
  const queued = randomFrom(tpm, 3);
  // So that the work runs, and is not merely the first in the queue.
  await new Promise((resolve) => setTimeout(resolve, 0));
  const closed = tpm[Symbol.asyncDispose]();
  const late = randomFrom(tpm, 4);
  await Promise.all([
    assert.rejects(queued, new TransportError("a scripted TPM is closed")),
    assert.rejects(late, new TransportError("a scripted TPM is closed")),
  ]);
  assert.equal(await running, 2);
  await closed;
  assert.equal(transport.timesClosed, 1);
  assert.deepEqual(asked(transport), [1, 2]);
});

Deno.test("closing closes the transport once, also after a failure", async () => {
  const transport = scriptedTpm(() => {
    throw new TransportError("cut off");
  });
  const tpm = new Tpm(transport);
  await assert.rejects(randomFrom(tpm, 1), TransportError);
  await Promise.all([tpm[Symbol.asyncDispose](), tpm[Symbol.asyncDispose]()]);
  await tpm[Symbol.asyncDispose]();
  assert.equal(transport.timesClosed, 1);
  await assert.rejects(randomFrom(tpm, 1), /a scripted TPM is closed/);
});
