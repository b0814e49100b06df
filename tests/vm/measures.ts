/**
 * What the agent costs in the virtual machine.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Agent, request } from "node:https";
import { type AttestedMachine } from "./attested_machine.ts";

/** One line of the table. */
export interface Measure {
  readonly what: string;
  readonly value: string;
}

/** How many quotes the memory is measured after. */
const QUOTES = 1000;

/** Resident memory of the agent's process, and the part that is not of files. */
export async function memory(
  all: AttestedMachine,
  when: string,
): Promise<Measure> {
  const pid = await all.property("MainPID");
  const status = await all.guest.ok(["cat", `/proc/${pid}/status`]);
  const size = (name: string): string =>
    mebibytes(
      1024 *
        Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]),
    );
  return {
    what: `Resident memory ${when}`,
    value: `${size("VmRSS")} MiB (anonymous ${size("RssAnon")} MiB)`,
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

/** Asks for many quotes as the verifier does, but on one connection. */
export async function askForQuotes(all: AttestedMachine): Promise<void> {
  const { certificates } = all.lab.keylime;
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 1,
    cert: await Deno.readTextFile(certificates.clientCertificate),
    key: await Deno.readTextFile(certificates.clientKey),
    rejectUnauthorized: false, // the verifier compares it with the registrar's
  });
  const url =
    `https://127.0.0.1:${all.machine.agentPort}/v2.5/quotes/integrity` +
    "?mask=0x400&partial=1&ima_ml_entry=1000000&nonce=";
  try {
    for (let i = 0; i < QUOTES; i++) {
      assert.equal(await status(`${url}nonce${i}`, agent), 200);
    }
  } finally {
    agent.destroy();
  }
}

async function status(url: string, agent: Agent): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<
    number | undefined
  >();
  request(url, { agent }, (response) => {
    response.resume();
    response.on("end", () => resolve(response.statusCode));
    response.on("error", reject);
  }).on("error", reject).end();
  return await promise;
}

/** The table as Markdown. */
export function table(measures: readonly Measure[]): string {
  const rows = measures.map(({ what, value }) => `| ${what} | ${value} |`);
  return ["| what | measured |", "| --- | --- |", ...rows].join("\n");
}
