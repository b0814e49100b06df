import assert from "node:assert/strict";
import { askForSignOfLife, isSignOfLife } from "../../agent/sign_of_life.ts";
import type { Notice } from "../../service/notifier.ts";
import { Watchdog, watchdogPeriod } from "../../service/watchdog.ts";
import { readPcrs, Tpm } from "../../tpm/mod.ts";
import { BareTpm, refusal } from "../agent/support/bare_tpm.ts";
import { recordingLog } from "../api/support/attester.ts";
import { waitFor } from "../lab/wait.ts";

Deno.test("watchdogPeriod() reads what a service manager says", async (t) => {
  const rows = [
    { usec: "90000000", pid: "7", want: 90_000 },
    { usec: "1500", pid: undefined, want: 1.5 },
    { usec: "90000000", pid: "", want: 90_000 },
    { usec: "90000000", pid: "8", want: undefined },
    { usec: undefined, pid: "7", want: undefined },
    { usec: "0", pid: "7", want: undefined },
    { usec: "", pid: "7", want: undefined },
    { usec: "-1", pid: "7", want: undefined },
    { usec: "soon", pid: "7", want: undefined },
  ];
  for (const { usec, pid, want } of rows) {
    await t.step(`${usec} for ${pid}`, () => {
      assert.equal(watchdogPeriod({ usec, pid }, 7), want);
    });
  }
});

/** A watched client of a software TPM, as the agent has it. */
class WatchedTpm implements AsyncDisposable {
  readonly bare: BareTpm;
  readonly tpm: Tpm;
  readonly watchdog: Watchdog;
  /** How often it was fed. */
  fed = 0;
  readonly lines: string[];

  constructor(bare: BareTpm, watchdogMs: number | undefined) {
    const { log, lines } = recordingLog();
    const receiver = {
      send: ({ WATCHDOG }: Notice): void => {
        if (WATCHDOG === "1") this.fed++;
      },
    };
    this.bare = bare;
    this.lines = lines;
    this.watchdog = new Watchdog(receiver, { watchdogMs, log });
    this.tpm = new Tpm({
      target: "the watched TPM",
      hasResourceManager: false,
      transmit: (command) => bare.mux.transmit(command),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }, {
      onCommand: (_, refusal) => {
        if (isSignOfLife(refusal)) this.watchdog.answered();
      },
      resend: { initialDelayMs: 1, maxDelayMs: 1, attempts: 1 },
    });
    this.bare.mux.reset();
    this.watchdog.start(() => askForSignOfLife(this.tpm, "sha256"));
  }

  /** How many commands the TPM was sent. */
  get sent(): number {
    return [...this.bare.mux.counts.values()].reduce((a, b) => a + b, 0);
  }

  /** Resolves when it was fed `count` more times. */
  async feeds(count: number): Promise<void> {
    const wanted = this.fed + count;
    await waitFor("the watchdog to be fed", () => this.fed >= wanted, {
      everyMs: 5,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.watchdog[Symbol.dispose]();
    await this.tpm[Symbol.asyncDispose]();
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

Deno.test("Watchdog asks an idle TPM once for each time it is fed", async () => {
  await using bare = await BareTpm.make();
  await using watched = new WatchedTpm(bare, 100);
  await watched.feeds(4);
  assert.ok(watched.sent <= watched.fed + 1, `${watched.sent} were sent`);
  assert.deepEqual([...bare.mux.counts.keys()], [0x17e]);
});

Deno.test("Watchdog asks nothing of a TPM that works anyhow", async () => {
  await using bare = await BareTpm.make();
  await using watched = new WatchedTpm(bare, 400);
  const end = watched.fed + 3;
  let commands = 0;
  while (watched.fed < end) {
    await readPcrs(watched.tpm, "sha256", [7]);
    commands++;
    await pause(20);
  }
  assert.equal(watched.sent, commands);
});

Deno.test("Watchdog is not fed while the TPM hangs, and is again when it answers", async () => {
  await using bare = await BareTpm.make();
  await using watched = new WatchedTpm(bare, 60);
  await watched.feeds(1);
  const hang = Promise.withResolvers<undefined>();
  bare.mux.intercept = () => hang.promise;
  await waitFor(
    "the watchdog to miss it",
    () => watched.lines.some((line) => line.includes("does not answer")),
  );
  const { fed, sent } = watched;
  await pause(200);
  assert.equal(watched.fed, fed);
  assert.equal(watched.sent, sent, "it was asked on top");
  bare.mux.intercept = undefined;
  hang.resolve(undefined);
  await watched.feeds(2);
});

Deno.test("Watchdog waits for its turn at the TPM, and counts the commands of others", async () => {
  await using bare = await BareTpm.make();
  await using watched = new WatchedTpm(bare, 60);
  await watched.feeds(1);
  await watched.tpm.exclusive(async (leased) => {
    const before = watched.sent;
    await pause(200);
    assert.equal(watched.sent, before, "it came between");
    const { fed } = watched;
    await readPcrs(leased, "sha256", [7]);
    await waitFor("the watchdog to be fed", () => watched.fed > fed);
  });
  await watched.feeds(2);
});

Deno.test("Watchdog takes for an answer what a TPM says that may attest again", async (t) => {
  const rows = [
    { name: "TPM_RC_LOCKOUT", code: 0x921, isFed: true },
    { name: "TPM_RC_RETRY", code: 0x922, isFed: true },
    { name: "TPM_RC_VALUE", code: 0x084, isFed: true },
    { name: "TPM_RC_FAILURE", code: 0x101, isFed: false },
    { name: "TPM_RC_INITIALIZE", code: 0x100, isFed: false },
    { name: "the resource manager's", code: 0xb0143, isFed: false },
    { name: "nonsense", code: undefined, isFed: false },
  ];
  for (const { name, code, isFed } of rows) {
    await t.step(name, async () => {
      await using bare = await BareTpm.make();
      await using watched = new WatchedTpm(bare, 40);
      await watched.feeds(1);
      bare.mux.intercept = () =>
        code === undefined ? new Uint8Array(10) : refusal(code);
      if (isFed) return await watched.feeds(3);
      await waitFor(
        "the watchdog to miss it",
        () => watched.lines.length > 0,
        { everyMs: 5 },
      );
      const { fed } = watched;
      await pause(100);
      assert.equal(watched.fed, fed);
      assert.match(
        watched.lines[0] ?? "",
        /^warn The TPM gives no sign of life: /,
      );
    });
  }
});

Deno.test("Watchdog is not fed by a TPM that is lost", async () => {
  await using bare = await BareTpm.make();
  await using watched = new WatchedTpm(bare, 40);
  await watched.feeds(1);
  bare.mux.intercept = () => {
    throw new Error("The TPM is gone");
  };
  await waitFor("the watchdog to miss it", () => watched.lines.length > 0);
  const { fed } = watched;
  await pause(100);
  assert.equal(watched.fed, fed);
});

Deno.test("Watchdog asks nothing where none is wanted, and nothing after its end", async () => {
  await using bare = await BareTpm.make();
  await using unwanted = new WatchedTpm(bare, undefined);
  await pause(50);
  assert.equal(unwanted.sent, 0);
  await using ended = new WatchedTpm(bare, 20);
  await ended.feeds(1);
  ended.watchdog[Symbol.dispose]();
  const { fed } = ended;
  await pause(60);
  assert.equal(ended.fed, fed);
});
