/**
 * Verifiers that poll at once, each as fast as it can: does the TPM alone
 * bound them, and does each get its turn?
 *
 * @module
 */

import type { Lab } from "../lab/lab.ts";
import { writeList } from "../lab/long_list.ts";
import { newNonce, Poller, runningAgent } from "./agent_polls.ts";
import { Floor, framesDuring } from "./floor.ts";
import { median, type Report, timed } from "./report.ts";

const COUNTS = [1, 4, 16] as const;
const RUN_MS = 3_000;
const ROUNDS = 3;
const FLOOR_QUOTES = 100;

const ENTRIES = 1_000;
/** How far behind the lagging one always is. */
const LAG = 300;

/** What one of the verifiers saw. */
interface Seen {
  readonly polls: number;
  readonly longest: number;
}

/**
 * Where verifier `at` of `count` begins to read: all keep up, but if there are
 * several one lags and one is always new.
 */
function entryOf(at: number, count: number): number {
  if (count > 1 && at === 0) return 0;
  return count > 1 && at === 1 ? ENTRIES - LAG : ENTRIES;
}

async function pollUntil(
  end: number,
  poller: Poller,
  entry: number,
): Promise<Seen> {
  let polls = 0;
  let longest = 0;
  while (performance.now() < end) {
    const took = await timed(async () => {
      const found = await poller.poll({ nonce: newNonce(), entry });
      if (found !== ENTRIES - entry) {
        throw new Error(`${found} entries came from ${entry} on`);
      }
    });
    longest = Math.max(longest, took);
    polls++;
  }
  return { polls, longest };
}

/** What `count` verifiers got. */
interface Run {
  readonly perSecond: number;
  /** Longest wait as a multiple of `count` polls of this run. */
  readonly wait: number;
  /** Polls of the slowest as a share of those of the fastest. */
  readonly fairness: number;
}

async function runOf(pollers: readonly Poller[]): Promise<Run> {
  const began = performance.now();
  const seen = await Promise.all(
    pollers.map((poller, at) =>
      pollUntil(began + RUN_MS, poller, entryOf(at, pollers.length))
    ),
  );
  const took = performance.now() - began;
  const polls = seen.map((one) => one.polls);
  const all = polls.reduce((sum, n) => sum + n, 0);
  const longest = Math.max(...seen.map((one) => one.longest));
  return {
    perSecond: 1000 * all / took,
    wait: longest / (pollers.length * took / all),
    fairness: Math.min(...polls) / Math.max(...polls),
  };
}

/** Adds what several verifiers get. */
export async function addVerifiers(report: Report, lab: Lab): Promise<void> {
  const path = lab.directory.path("list-of-verifiers");
  await writeList(path, ENTRIES);
  await using machine = await lab.machine();
  await using agent = await runningAgent(lab, machine, { ima_ml_path: path });
  using opened = new DisposableStack();
  const pollers: Poller[] = [];
  for (let at = 0; at < Math.max(...COUNTS); at++) {
    const poller = opened.use(await Poller.of(lab, agent));
    for (let warm = 0; warm < 20; warm++) {
      await poller.poll({ nonce: newNonce(), entry: ENTRIES });
    }
    pollers.push(poller);
  }
  const frames = await framesDuring(
    machine.tpm.mux,
    () =>
      pollers[0]?.poll({ nonce: newNonce(), entry: ENTRIES }) ??
        Promise.resolve(),
  );
  const floor = opened.use(
    await Floor.connect(machine.tpm.mux.address, frames),
  );
  await floor.checkedQuote();
  const floors: number[] = [];
  const runs = new Map<number, Run[]>(COUNTS.map((count) => [count, []]));
  for (let round = 0; round < ROUNDS; round++) {
    const took = await timed(async () => {
      for (let at = 0; at < FLOOR_QUOTES; at++) await floor.quote();
    });
    floors.push(1000 * FLOOR_QUOTES / took);
    for (const count of COUNTS) {
      runs.get(count)?.push(await runOf(pollers.slice(0, count)));
    }
  }
  for (const [count, some] of runs) {
    const one = `${count} verifier${count === 1 ? "" : "s"}`;
    report.add({
      what: `${one}, polls per second`,
      ratio: median(some.map(({ perSecond }) => perSecond)) / median(floors),
      to: "floor's quotes per second",
    });
    report.add({
      what: `${one}, longest wait`,
      ratio: median(some.map(({ wait }) => wait)),
      to: `${count} poll${count === 1 ? "" : "s"}`,
    });
    if (count === 1) continue;
    report.add({
      what: `${one}, polls of the slowest`,
      ratio: median(some.map(({ fairness }) => fairness)),
      to: "those of the fastest",
    });
  }
}
