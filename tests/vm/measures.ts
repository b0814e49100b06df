/**
 * What the agent costs in the virtual machine.
 *
 * @module
 */

import { type AttestedMachine } from "./attested_machine.ts";
import { QuoteClient } from "./quote_client.ts";

/** One line of the table. */
export interface Measure {
  readonly what: string;
  readonly value: string;
}

/** How many quotes are asked for, besides the verifier's. */
const QUOTES = 700;

/** On how many connections at the same time; most of a quote is waiting. */
const CONNECTIONS = 4;

/** Resident memory in bytes: all of it, and the part that is not of files. */
export interface Resident {
  readonly all: number;
  readonly anonymous: number;
}

/** What the agent's process has in memory. */
export async function resident(all: AttestedMachine): Promise<Resident> {
  const pid = await all.property("MainPID");
  const status = await all.guest.ok(["cat", `/proc/${pid}/status`]);
  const bytes = (name: string): number =>
    1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]);
  return { all: bytes("VmRSS"), anonymous: bytes("RssAnon") };
}

/** {@linkcode resident} as a line of the table. */
export async function memory(
  machine: AttestedMachine,
  when: string,
): Promise<Measure> {
  const { all, anonymous } = await resident(machine);
  return {
    what: `Resident memory ${when}`,
    value: `${mebibytes(all)} MiB (anonymous ${mebibytes(anonymous)} MiB)`,
  };
}

/** From the start of the process to READY. */
export async function startUp(
  all: AttestedMachine,
  which: string,
): Promise<Measure> {
  const [started, ready] = await Promise.all([
    all.property("ExecMainStartTimestampMonotonic"),
    all.property("ActiveEnterTimestampMonotonic"),
  ]);
  const seconds = (Number(ready) - Number(started)) / 1e6;
  return { what: `Start to READY, ${which}`, value: `${seconds.toFixed(1)} s` };
}

/** Size of the package and of the executable in it. */
export async function sizes(all: AttestedMachine): Promise<Measure[]> {
  const size = async (path: string): Promise<string> =>
    `${mebibytes((await Deno.stat(path)).size)} MiB`;
  const version = await all.guest.ok(["keylime_agent", "--version"]);
  return [
    { what: "Agent", value: version },
    { what: "Package (rpm)", value: await size(all.packages.agent) },
    {
      what: "Executable",
      value: await size(`${all.root.tree}/usr/bin/keylime_agent`),
    },
  ];
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

/** Has the agent make many quotes, each with what is new in the list. */
export async function askForQuotes(all: AttestedMachine): Promise<void> {
  const ask = async (): Promise<void> => {
    using client = await QuoteClient.open(all);
    for (let i = 0; i < QUOTES / CONNECTIONS; i++) await client.quote();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, ask));
}

/** The table as Markdown. */
export function table(measures: readonly Measure[]): string {
  const rows = measures.map(({ what, value }) => `| ${what} | ${value} |`);
  return ["| what | measured |", "| --- | --- |", ...rows].join("\n");
}
