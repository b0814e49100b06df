/**
 * Verifiers that poll at once, each as fast as it can: does the TPM alone
 * bound them, and does each get its turn? A simulator needs the processors
 * that it shares with the agent and the verifiers; a chip does not, and takes
 * longer. So both are tried: swtpm as it is, and with a pause before each
 * command.
 *
 * @module
 */

import type { Lab } from "../lab/lab.ts";
import { writeList } from "../lab/long_list.ts";
import { newNonce, Poller, runningAgent } from "./agent_polls.ts";
import { Floor, framesDuring } from "./floor.ts";
import { median, type Report, timed } from "./report.ts";

const COUNTS = [1, 4, 16] as const;
const RUN_MS = 2_500;
const ROUNDS = 3;
const FLOOR_QUOTES = 30;

/** TPMs by name, with their milliseconds before each command. */
const TPMS = { "swtpm": 0, "10 ms slower TPM": 10 } as const;

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
  // The agent ends connections that were idle meanwhile.
  await Promise.all(pollers.map(async (poller) => {
    await poller.reconnect();
    await (await poller.get("version")).text();
  }));
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

/** Runs with each number of `pollers`, and the floor's quotes per second. */
async function runsWith(
  pollers: readonly Poller[],
  floor: Floor,
): Promise<{ readonly runs: Map<number, Run[]>; readonly floor: number }> {
  const floors: number[] = [];
  const runs = new Map<number, Run[]>(COUNTS.map((count) => [count, []]));
  for (let round = 0; round < ROUNDS; round++) {
    const took = await timed(async () => {
      for (let at = 0; at < FLOOR_QUOTES; at++) await floor.quote();
    });
    floors.push(1000 * FLOOR_QUOTES / took);
    for (const [count, some] of runs) {
      some.push(await runOf(pollers.slice(0, count)));
    }
  }
  return { runs, floor: median(floors) };
}

function addRuns(
  report: Report,
  tpm: string,
  { runs, floor }: Awaited<ReturnType<typeof runsWith>>,
): void {
  for (const [count, some] of runs) {
    const what = `${count} verifier${count === 1 ? "" : "s"}, ${tpm}`;
    const middle = (name: keyof Run): number =>
      median(some.map((run) => run[name]));
    report.add({
      what: `${what}: polls per second`,
      ratio: middle("perSecond") / floor,
      to: "floor's quotes per second",
    });
    report.add({
      what: `${what}: longest wait`,
      ratio: middle("wait"),
      to: `${count} poll${count === 1 ? "" : "s"}`,
    });
    if (count === 1) continue;
    report.add({
      what: `${what}: polls of the slowest`,
      ratio: middle("fairness"),
      to: "those of the fastest",
    });
  }
}

/** Adds what several verifiers get. */
export async function addVerifiers(report: Report, lab: Lab): Promise<void> {
  const path = lab.directory.path("list-of-verifiers");
  await writeList(path, ENTRIES);
  await using machine = await lab.machine();
  const { mux } = machine.tpm;
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
    mux,
    () =>
      pollers[0]?.poll({ nonce: newNonce(), entry: ENTRIES }) ??
        Promise.resolve(),
  );
  const floor = opened.use(
    await Floor.connect(mux.address, frames),
  );
  await floor.checkedQuote();
  for (const [tpm, pause] of Object.entries(TPMS)) {
    mux.intercept = pause === 0 ? undefined : async () => {
      await new Promise((resolve) => setTimeout(resolve, pause));
      return undefined;
    };
    addRuns(report, tpm, await runsWith(pollers, floor));
  }
  mux.intercept = undefined;
}
