/**
 * IMA lists of four lengths: what keeping up costs, and what a first poll.
 *
 * @module
 */

import { MeasurementList } from "../../ima/measurement_list.ts";
import { Lab } from "../lab/lab.ts";
import { entries, writeList } from "../lab/long_list.ts";
import { forgetHighest, memory } from "../lab/process_figures.ts";
import { newNonce, Poller, runningAgent } from "./agent_polls.ts";
import { median, type Report, timed } from "./report.ts";

const LENGTHS = [1e3, 1e4, 1e5, 1e6] as const;
const NEW_ENTRIES = 10;
const ROUNDS = 200;

/** A list that grows, and a reader that keeps up. */
interface Growing {
  readonly path: string;
  readonly list: MeasurementList;
  readonly times: number[];
  count: number;
}

/** The text of the list from `from` on, whichever way it comes. */
async function textFrom(list: MeasurementList, from: number): Promise<string> {
  const { text = "" } = await list.read(from) ?? {};
  if (typeof text === "string") return text;
  let last = "";
  for await (const piece of text) last = piece;
  return last;
}

/** Times of reading ten new entries from each of `paths`, round by round. */
async function steadyTimes(
  paths: ReadonlyMap<number, string>,
): Promise<readonly number[]> {
  using opened = new DisposableStack();
  const all: Growing[] = [];
  for (const [count, path] of paths) {
    const list = opened.use(await MeasurementList.open(path));
    await textFrom(list, 0);
    all.push({ path, list, times: [], count });
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const growing of all) {
      const { path, list, times, count } = growing;
      const text = entries(count, NEW_ENTRIES);
      await Deno.writeTextFile(path, text, { append: true });
      let got = "";
      times.push(
        await timed(async () => {
          got = await textFrom(list, count);
        }),
      );
      if (got !== text) throw new Error(`The new entries of ${path} are wrong`);
      growing.count += NEW_ENTRIES;
    }
  }
  return all.map(({ times }) => median(times));
}

/** One first poll of a freshly started agent. */
interface FirstPoll {
  readonly milliseconds: number;
  /** How many bytes of memory it took. */
  readonly growth: number;
}

async function firstPoll(
  lab: Lab,
  path: string,
): Promise<FirstPoll> {
  await using machine = await lab.machine();
  await using agent = await runningAgent(lab, machine, {
    options: { ima_ml_path: path },
  });
  using poller = await Poller.of(lab, agent);
  // What the first request of all costs is not the list's.
  await (await poller.get("v2.6/quotes/identity?nonce=first")).text();
  const { pid } = agent.process;
  await forgetHighest(pid);
  const before = await memory(pid, "VmRSS");
  const milliseconds = await timed(async () => {
    const { body } = await poller.ask({ nonce: newNonce(), entry: 0 });
    await body?.pipeTo(new WritableStream());
  });
  return { milliseconds, growth: await memory(pid, "VmHWM") - before };
}

/** Adds how the length of the list matters. */
export async function addLists(report: Report): Promise<void> {
  await using lab = await Lab.start();
  const paths = new Map<number, string>();
  for (const length of LENGTHS) {
    const path = lab.directory.path(`list-${length}`);
    await writeList(path, length);
    paths.set(length, path);
  }
  const firsts = new Map<number, FirstPoll>();
  for (const [length, path] of paths) {
    firsts.set(length, await firstPoll(lab, path));
  }
  const steady = await steadyTimes(paths);
  LENGTHS.forEach((length, at) => {
    report.add({
      what: `${NEW_ENTRIES} new entries of a list of ${length}`,
      ratio: (steady[at] ?? NaN) / (steady[0] ?? NaN),
      to: `list of ${LENGTHS[0]}`,
    });
  });
  const perEntry = (length: number): number =>
    (firsts.get(length)?.milliseconds ?? NaN) / length;
  for (const length of LENGTHS) {
    report.add({
      what: `first poll of a list of ${length}`,
      ratio: perEntry(length) / perEntry(1e5),
      to: "time per entry, list of 100000",
      figure: {
        value: (firsts.get(length)?.growth ?? NaN) / 2 ** 20,
        unit: "MiB more",
      },
    });
  }
}
