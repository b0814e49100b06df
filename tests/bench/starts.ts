/**
 * Starts: how many TPM commands until the agent is registered, and how long
 * from its start until it listens, without what its TPM takes.
 *
 * @module
 */

import { laterStart } from "../agent/support/later_start.ts";
import { costOf, ManagedTpm } from "../agent/support/managed_tpm.ts";
import { defineNv } from "../agent/support/nv.ts";
import type { LabAgent } from "../lab/agent.ts";
import { Lab } from "../lab/lab.ts";
import type { TpmMux } from "../lab/tpm_mux.ts";
import { manualTable } from "../support/manual.ts";
import { median, type Report } from "./report.ts";

const ROUNDS = 5;

const CERTIFICATE = new URL(
  "../fixtures/crypto/ekcerts/lab-a-ecc256.der",
  import.meta.url,
);

/** Ways to start, in the columns of the manual's table. */
const SETTINGS = [
  ["by default", []],
  ["with ak_handle", ['ak_handle = "0x81080001"']],
  [
    "with ak_handle and ek_handle",
    ['ak_handle = "0x81080001"', 'ek_handle = "0x81010001"'],
  ],
] as const;

/** What rust-keylime sends for the same as the first of them. */
const RUST_KEYLIME = 28;

/** Adds all that is to say about starts. */
export async function addStarts(report: Report): Promise<void> {
  await addCounts(report);
  await addTimes(report);
}

/** Adds the exact counts, which the manual lists and sums up. */
async function addCounts(report: Report): Promise<void> {
  const table = await manualTable("performance.md", "Start");
  for (const [at, [setting, options]] of SETTINGS.entries()) {
    await using place = await ManagedTpm.make();
    await defineNv(place.lab, [0x01c0_000a, await Deno.readFile(CERTIFICATE)]);
    await place.lab.tool("tpm2_createek", "-G", "ecc", "-c", "0x81010001");
    let requests = 0;
    const sent = await laterStart(place, options, (agent) => {
      requests = agent.requests.length;
      return Promise.resolve();
    });
    const what = `start with kept AK ${setting}`;
    const documented = table.map((cells) => Number(cells[at + 1]))
      .filter((atChip) => !Number.isNaN(atChip));
    const sum = documented.pop() ?? NaN;
    report.expect(`${what}, commands`, sent.length, documented.length);
    report.expect(`${what}, at the chip`, costOf(sent), sum);
    report.add({
      what,
      sent: sent.length,
      atChip: costOf(sent),
      ...(at === 0 ? { rustKeylime: RUST_KEYLIME } : {}),
      figure: { value: requests, unit: "requests to the registrar" },
    });
  }
}

/** The milliseconds that the TPM is at work, as long as it is watched. */
class TpmTime implements Disposable {
  readonly #mux: TpmMux;
  #began = 0;
  /** So far. */
  milliseconds = 0;

  constructor(mux: TpmMux) {
    this.#mux = mux;
    mux.intercept = () => {
      this.#began = performance.now();
      return undefined;
    };
    mux.record = () => {
      this.milliseconds += performance.now() - this.#began;
    };
  }

  [Symbol.dispose](): void {
    this.#mux.intercept = undefined;
    this.#mux.record = undefined;
  }
}

async function untilListening(port: number): Promise<void> {
  for (;;) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

/** Milliseconds until `agent` listens, less those of its TPM. */
async function startTime(agent: LabAgent, mux: TpmMux): Promise<number> {
  using tpm = new TpmTime(mux);
  const began = performance.now();
  const started = agent.start("started");
  await untilListening(agent.port);
  const took = performance.now() - began - tpm.milliseconds;
  await started;
  await agent.logs(`SUCCESS: Agent ${agent.uuid} activated`);
  return took;
}

/** Adds the times from start to listening. */
async function addTimes(report: Report): Promise<void> {
  await using lab = await Lab.start();
  await using machine = await lab.machine();
  const { mux } = machine.tpm;
  const first: number[] = [];
  const kept: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await using agent = await machine.agent(lab.keylime, {
      directory: lab.directory.path(`start-${round}`),
    });
    first.push(await startTime(agent, mux));
    await agent.stop();
    await Deno.remove(agent.logFile);
    kept.push(await startTime(agent, mux));
  }
  const rows = [
    ["first start to listening, without TPM", median(first)],
    ["start with kept keys to listening, without TPM", median(kept)],
  ] as const;
  for (const [what, value] of rows) {
    report.add({
      what,
      ratio: value / median(kept),
      to: "start with kept keys",
      figure: { value, unit: "ms" },
    });
  }
}
