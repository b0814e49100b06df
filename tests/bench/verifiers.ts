/**
 * Verifiers that poll at once, each as fast as it can: does the TPM alone
 * bound them, and does each get its turn? A simulator needs the processors
 * that it shares with the agent and the verifiers; a chip does not, and takes
 * longer. So both are tried: swtpm as it is, and with a pause before each
 * command.
 *
 * @module
 */

import { Lab } from "../lab/lab.ts";
import { writeList } from "../lab/long_list.ts";
import type { TpmMux } from "../lab/tpm_mux.ts";
import { newNonce, Poller, runningAgent } from "./agent_polls.ts";
import { Floor, framesDuring } from "./floor.ts";
import { median, type Report, timed } from "./report.ts";
import { pause } from "./rest.ts";

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
  /** The longest that it waited: in milliseconds, and in quotes of the TPM. */
  readonly longest: number;
  readonly mostQuotes: number;
}

/** In which order a TPM makes the quotes of {@linkcode newNonce}. */
class QuoteOrder {
  readonly #places = new Map<string, number>();

  /** That of the TPM behind `mux`, from now on. */
  constructor(mux: TpmMux) {
    mux.record = ({ command }) => {
      const [nonce] = /nonce\d{15}/.exec(LATIN_1.decode(command)) ?? [];
      if (nonce !== undefined) this.#places.set(nonce, this.count + 1);
    };
  }

  /** How many there are. */
  get count(): number {
    return this.#places.size;
  }

  /** Which one that over `nonce` is; the first is 1. */
  placeOf(nonce: string): number {
    return this.#places.get(nonce) ?? NaN;
  }
}

const LATIN_1 = new TextDecoder("latin1");

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
  { entry, order }: { readonly entry: number; readonly order: QuoteOrder },
): Promise<Seen> {
  let [polls, longest, mostQuotes] = [0, 0, 0];
  while (performance.now() < end) {
    const nonce = newNonce();
    const before = order.count;
    const took = await timed(async () => {
      const found = await poller.poll({ nonce, entry });
      if (found !== ENTRIES - entry) {
        throw new Error(`${found} entries came from ${entry} on`);
      }
    });
    longest = Math.max(longest, took);
    mostQuotes = Math.max(mostQuotes, order.placeOf(nonce) - before);
    polls++;
  }
  return { polls, longest, mostQuotes };
}

/** What `count` verifiers got. */
interface Run {
  readonly perSecond: number;
  /** Longest wait as a multiple of `count` polls of this run. */
  readonly wait: number;
  /** Most quotes that the TPM made between a request and its own, that included. */
  readonly mostQuotes: number;
  /** Polls of the slowest as a share of those of the fastest. */
  readonly fairness: number;
}

async function runOf(
  pollers: readonly Poller[],
  order: QuoteOrder,
): Promise<Run> {
  // The agent ends connections that were idle meanwhile.
  await Promise.all(pollers.map(async (poller) => {
    await poller.reconnect();
    await (await poller.get("version")).text();
  }));
  const began = performance.now();
  const seen = await Promise.all(
    pollers.map((poller, at) =>
      pollUntil(began + RUN_MS, poller, {
        entry: entryOf(at, pollers.length),
        order,
      })
    ),
  );
  const took = performance.now() - began;
  const polls = seen.map((one) => one.polls);
  const all = polls.reduce((sum, n) => sum + n, 0);
  const longest = Math.max(...seen.map((one) => one.longest));
  return {
    perSecond: 1000 * all / took,
    wait: longest / (pollers.length * took / all),
    mostQuotes: Math.max(...seen.map((one) => one.mostQuotes)),
    fairness: Math.min(...polls) / Math.max(...polls),
  };
}

/** Runs with each number of `pollers`, and the floor's quotes per second. */
async function runsWith(
  pollers: readonly Poller[],
  { floor, order }: { readonly floor: Floor; readonly order: QuoteOrder },
): Promise<{ readonly runs: Map<number, Run[]>; readonly floor: number }> {
  const floors: number[] = [];
  const runs = new Map<number, Run[]>(COUNTS.map((count) => [count, []]));
  for (let round = 0; round < ROUNDS; round++) {
    const took = await timed(async () => {
      for (let at = 0; at < FLOOR_QUOTES; at++) await floor.quote();
    });
    floors.push(1000 * FLOOR_QUOTES / took);
    for (const [count, some] of runs) {
      some.push(await runOf(pollers.slice(0, count), order));
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
    const most = Math.max(...some.map(({ mostQuotes }) => mostQuotes));
    report.add({
      what: `${what}: longest wait`,
      ratio: middle("wait"),
      to: `${count} poll${count === 1 ? "" : "s"}`,
    });
    report.add({
      what: `${what}: most quotes in a wait`,
      ratio: most / count,
      to: `${count} quote${count === 1 ? "" : "s"}`,
      figure: { value: most, unit: "quotes" },
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
export async function addVerifiers(report: Report): Promise<void> {
  await using lab = await Lab.start();
  const path = lab.directory.path("list-of-verifiers");
  await writeList(path, ENTRIES);
  await using machine = await lab.machine();
  const { mux } = machine.tpm;
  await using agent = await runningAgent(lab, machine, {
    options: { ima_ml_path: path },
  });
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
  const order = new QuoteOrder(mux);
  for (const [tpm, delay] of Object.entries(TPMS)) {
    mux.intercept = delay === 0 ? undefined : async () => {
      await pause(delay);
      return undefined;
    };
    addRuns(report, tpm, await runsWith(pollers, { floor, order }));
  }
  mux.intercept = undefined;
  mux.record = undefined;
}
