/**
 * The whole agent over HTTPS: its processor time for a poll, and its memory.
 *
 * @module
 */

import type { LabAgent } from "../lab/agent.ts";
import type { Lab } from "../lab/lab.ts";
import { memory, processorTime } from "../lab/process_figures.ts";
import { newNonce, Poller, runningAgent } from "./agent_polls.ts";
import { median, type Report } from "./report.ts";

const WARM_UP = 500;
const ROUNDS = 10;
const POLLS_PER_ROUND = 100;
/** After so many polls memory is looked at again. */
const ALL_POLLS = 5_000;

/** Processor milliseconds of `agent` for each of the `works`, in turns. */
async function processorTimes(
  agent: LabAgent,
  works: readonly (() => Promise<unknown>)[],
): Promise<readonly number[]> {
  const { pid } = agent.process;
  const costs: number[][] = works.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [at, work] of works.entries()) {
      const before = await processorTime(pid);
      for (let poll = 0; poll < POLLS_PER_ROUND; poll++) await work();
      costs[at]?.push((await processorTime(pid) - before) / POLLS_PER_ROUND);
    }
  }
  return costs.map(median);
}

/** Adds what a poll costs the agent's process. */
export async function addPolls(report: Report, lab: Lab): Promise<void> {
  await using machine = await lab.machine();
  await using agent = await runningAgent(lab, machine);
  const { pid } = agent.process;
  using poller = await Poller.of(lab, agent);
  let polls = 0;
  const poll = async (): Promise<void> => {
    polls++;
    const entry = machine.ima.entryCount;
    await poller.poll({ nonce: newNonce(), entry });
  };
  await poll();
  const first = await memory(pid, "VmRSS");
  for (let warm = 0; warm < WARM_UP; warm++) await poll();
  const [version = NaN, kept = NaN, renewed = NaN] = await processorTimes(
    agent,
    [
      async () => await (await poller.get("version")).text(),
      poll,
      async () => {
        await poller.reconnect();
        await poll();
      },
    ],
  );
  while (polls < ALL_POLLS) await poll();
  const last = await memory(pid, "VmRSS");
  const cpu = (value: number): { value: number; unit: string } => ({
    value,
    unit: "ms CPU",
  });
  const to = "GET /version";
  report.add({ what: "GET /version, connection kept", figure: cpu(version) });
  for (const [what, value] of [["kept", kept], ["renewed", renewed]] as const) {
    report.add({
      what: `steady poll, connection ${what}`,
      ratio: value / version,
      to,
      figure: cpu(value),
    });
  }
  const mebibytes = (bytes: number): { value: number; unit: string } => ({
    value: bytes / 2 ** 20,
    unit: "MiB",
  });
  report.add({ what: "memory after one poll", figure: mebibytes(first) });
  report.add({
    what: `memory after ${ALL_POLLS} polls`,
    ratio: last / first,
    to: "after one poll",
    figure: mebibytes(last),
  });
}
