/**
 * The whole agent over HTTPS: its processor time for a poll, and its memory.
 *
 * @module
 */

import type { LabAgent } from "../lab/agent.ts";
import { Lab } from "../lab/lab.ts";
import { memory, processorTime } from "../lab/process_figures.ts";
import { ServiceManager } from "../service/support/service_manager.ts";
import { newNonce, Poller, runningAgent } from "./agent_polls.ts";
import type { Report } from "./report.ts";
import { pause, REST_MS } from "./rest.ts";

const WARM_UP = 500;
const ROUNDS = 10;
const POLLS_PER_ROUND = 100;
/** After so many polls memory is looked at again. */
const ALL_POLLS = 5_000;

/** After the registration. */
const SETTLING_MS = 3_000;

/** A service manager that hears all it is told. */
class ListeningServiceManager extends ServiceManager {
  readonly #timer = setInterval(() => this.take(), 500);

  override [Symbol.dispose](): void {
    clearInterval(this.#timer);
    super[Symbol.dispose]();
  }
}

/** Processor milliseconds of `agent` for one of each of `works`, in turns. */
async function processorTimes(
  agent: LabAgent,
  works: readonly (() => Promise<unknown>)[],
): Promise<readonly number[]> {
  const { pid } = agent.process;
  const costs: number[] = works.map(() => 0);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [at, work] of works.entries()) {
      const before = await processorTime(pid);
      for (let poll = 0; poll < POLLS_PER_ROUND; poll++) await work();
      costs[at] = (costs[at] ?? 0) + await processorTime(pid) - before;
    }
  }
  return costs.map((cost) => cost / (ROUNDS * POLLS_PER_ROUND));
}

/** Adds what a poll costs the agent's process. */
export async function addPolls(report: Report): Promise<void> {
  await using lab = await Lab.start();
  await using machine = await lab.machine();
  using systemd = new ListeningServiceManager();
  await using agent = await runningAgent(lab, machine, {
    env: { NOTIFY_SOCKET: systemd.address },
  });
  const { pid } = agent.process;
  await pause(SETTLING_MS);
  const registered = await memory(pid, "VmRSS");
  using poller = await Poller.of(lab, agent);
  let polls = 0;
  const poll = async (): Promise<void> => {
    polls++;
    const entry = machine.ima.entryCount;
    await poller.poll({ nonce: newNonce(), entry });
  };
  const version = async (): Promise<void> => {
    await (await poller.get("version")).text();
  };
  const renewed = (work: () => Promise<void>) => async (): Promise<void> => {
    await poller.reconnect();
    await work();
  };
  await poll();
  const first = await memory(pid, "VmRSS");
  for (let warm = 0; warm < WARM_UP; warm++) await poll();
  const works = {
    "GET /version, connection kept": version,
    "GET /version, connection renewed": renewed(version),
    "steady poll, connection kept": poll,
    "steady poll, connection renewed": renewed(poll),
  };
  const times = await processorTimes(agent, Object.values(works));
  while (polls < ALL_POLLS) await renewed(poll)();
  const busy = await memory(pid, "VmRSS");
  Object.keys(works).forEach((what, at) => {
    const value = times[at] ?? NaN;
    report.add({
      what,
      ratio: value / (times[0] ?? NaN),
      to: "GET /version, kept",
      figure: { value, unit: "ms CPU" },
    });
  });
  const add = (when: string, bytes: number): void =>
    report.add({
      what: `memory ${when}`,
      ratio: bytes / registered,
      to: "registered, at rest",
      figure: { value: bytes / 2 ** 20, unit: "MiB" },
    });
  add("registered, at rest", registered);
  add("after one poll", first);
  add(`after ${ALL_POLLS} polls`, busy);
  await pause(REST_MS);
  add("at rest again", await memory(pid, "VmRSS"));
}
