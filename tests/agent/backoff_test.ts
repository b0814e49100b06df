import assert from "node:assert/strict";
import fc from "fast-check";
import { pauseAfter } from "../../agent/backoff.ts";

const BACKOFF = { initialDelayMs: 10_000, maxDelayMs: 300_000, maxRetries: 5 };

Deno.test("pauseAfter() doubles up to the longest pause", async (t) => {
  const rows = [
    { before: 0, want: 10_000 },
    { before: 1, want: 20_000 },
    { before: 4, want: 160_000 },
    { before: 5, want: 300_000 },
    { before: 1e9, want: 300_000 },
  ];
  for (const { before, want } of rows) {
    await t.step(`after ${before}`, () => {
      const failures = { before, retryAfterMs: undefined };
      assert.equal(pauseAfter(failures, BACKOFF, 0), want);
      assert.equal(pauseAfter(failures, BACKOFF, 1), want / 2);
    });
  }
});

Deno.test("pauseAfter() stops growing after the set number of failures", () => {
  const backoff = { initialDelayMs: 10, maxDelayMs: 300_000, maxRetries: 2 };
  const pauses = [0, 1, 2, 3, 50].map((before) =>
    pauseAfter({ before, retryAfterMs: undefined }, backoff, 0)
  );
  assert.deepEqual(pauses, [10, 20, 40, 40, 40]);
});

Deno.test("pauseAfter() waits as long as the registrar asks, within bounds", async (t) => {
  const rows = [
    { name: "as asked", retryAfterMs: 60_000, random: 0, want: 60_000 },
    { name: "or later", retryAfterMs: 60_000, random: 1, want: 90_000 },
    { name: "at once", retryAfterMs: 0, random: 0, want: 10_000 },
    { name: "in an hour", retryAfterMs: 3_600_000, random: 0, want: 300_000 },
    { name: "never", retryAfterMs: 1e15, random: 1, want: 300_000 },
  ];
  for (const { name, retryAfterMs, random, want } of rows) {
    await t.step(name, () => {
      assert.equal(
        pauseAfter({ before: 3, retryAfterMs }, BACKOFF, random),
        want,
      );
    });
  }
});

Deno.test("pauseAfter() is never shorter than half the first nor longer than the longest", () => {
  const asked = fc.option(fc.maxSafeNat(), { nil: undefined });
  fc.assert(fc.property(
    fc.maxSafeNat(),
    asked,
    fc.double({ min: 0, max: 1, noNaN: true }),
    (before, retryAfterMs, random) => {
      const pause = pauseAfter({ before, retryAfterMs }, BACKOFF, random);
      assert.ok(pause >= 5_000 && pause <= 300_000, `${pause}`);
    },
  ));
});
