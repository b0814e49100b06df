/**
 * `./dev bench`: how many commands the TPM executes for a quote and for a
 * start of the agent, and how long that takes. The counts are exact, taken
 * between agent and TPM; times are medians of one run and only good for
 * comparing rows. What rust-keylime sends is in the last column (contract
 * section 12, counted from its sources).
 *
 * @module
 */

import { Attestation } from "../../agent/attestation.ts";
import type { Attester } from "../../agent/attester.ts";
import { openIdentity } from "../../agent/identity.ts";
import { loadConfig } from "../../config/config.ts";
import { systemFiles } from "../../config/files.ts";
import { BootLog } from "../../ima/boot_log.ts";
import { MeasurementList } from "../../ima/measurement_list.ts";
import { createLog } from "../../log/log.ts";
import { parseTcti, Tpm } from "../../tpm/mod.ts";
import type { AgentOptions } from "../lab/agent.ts";
import { Lab } from "../lab/lab.ts";
import type { Machine } from "../lab/machine.ts";
import { setUpLab } from "../lab/setup.ts";

const ROUNDS = 40;

const KINDS: Readonly<Record<string, AgentOptions>> = {
  RSA: {},
  ECC: { tpm_encryption_alg: "ecc", tpm_signing_alg: "ecdsa" },
};

/** PCRs of an integrity quote and, for comparison, rust-keylime's commands. */
const INTEGRITY = [
  { pcrs: 1, upstream: 8 },
  { pcrs: 8, upstream: 8 },
  { pcrs: 24, upstream: 10 },
] as const;

interface Row {
  readonly what: string;
  readonly commands: number;
  readonly milliseconds: number;
  readonly upstream: number;
}

const log = createLog("off", () => {});

function total(machine: Machine): number {
  return [...machine.tpm.mux.counts.values()].reduce((sum, n) => sum + n, 0);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

async function measure(
  what: string,
  { machine, upstream }: { machine: Machine; upstream: number },
  work: (round: number) => Promise<unknown>,
): Promise<Row> {
  await work(0);
  machine.tpm.mux.reset();
  const times: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const began = performance.now();
    await work(round);
    times.push(performance.now() - began);
  }
  const commands = total(machine) / ROUNDS;
  return { what, commands, milliseconds: median(times), upstream };
}

/** The agent's attestation in this process, without its HTTP. */
async function attesterOn(
  machine: Machine,
  { directory, options }: { directory: string; options: AgentOptions },
): Promise<{ attester: Attester } & AsyncDisposable> {
  await using opened = new AsyncDisposableStack();
  await Deno.mkdir(directory);
  const environment = Object.fromEntries(
    Object.entries({ keylime_dir: directory, run_as: "", ...options })
      .map((
        [name, value],
      ) => [`KEYLIME_AGENT_${name.toUpperCase()}`, `${value}`]),
  );
  await Deno.writeTextFile(`${directory}/empty.conf`, "[agent]\n");
  const config = await loadConfig({
    environment: {
      ...environment,
      KEYLIME_AGENT_CONFIG: `${directory}/empty.conf`,
    },
    files: systemFiles(),
    uid: Deno.uid() ?? 0,
  });
  const tpm = opened.use(await Tpm.open(parseTcti(machine.tpm.tcti)));
  const { uuid, ek, ak, ...identity } = await openIdentity(tpm, config, log);
  opened.defer(() => identity[Symbol.asyncDispose]());
  await ek[Symbol.asyncDispose]();
  const attester = new Attestation({
    tpm,
    ak,
    uuid,
    hash: config.tpm.hashAlg,
    keyType: config.tpm.encryptionAlg,
    scheme: config.tpm.signingAlg,
    payloadPublicKey: "a key in PEM\n",
    imaList: opened.use(await MeasurementList.open(machine.ima.file)),
    bootLog: opened.use(await BootLog.open("/nonexistent")),
  });
  const stack = opened.move();
  return { attester, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function quoteRows(lab: Lab, kind: string): Promise<Row[]> {
  await using machine = await lab.machine();
  await using opened = await attesterOn(machine, {
    directory: lab.directory.path(`bench-${kind}`),
    options: KINDS[kind] ?? {},
  });
  const { attester } = opened;
  const rows = [
    await measure(
      `identity quote, ${kind}`,
      { machine, upstream: 8 },
      (round) => attester.identityQuote(`nonce${round}`),
    ),
  ];
  for (const { pcrs, upstream } of INTEGRITY) {
    // PCR 16 is always quoted, so the other registers are one fewer.
    const others = [10, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15]
      .concat([17, 18, 19, 20, 21, 22, 23]).slice(0, pcrs - 1);
    const mask = others.reduce((sum, pcr) => sum + 2 ** pcr, 0);
    rows.push(
      await measure(
        `integrity quote, ${pcrs} PCRs, ${kind}`,
        { machine, upstream },
        (round) =>
          attester.integrityEvidence({
            nonce: `nonce${round}`,
            mask,
            imaEntry: machine.ima.entryCount,
          }),
      ),
    );
  }
  return rows;
}

async function startRows(lab: Lab, kind: string): Promise<Row[]> {
  await using machine = await lab.machine();
  await using agent = await machine.agent(lab.keylime, {
    options: KINDS[kind] ?? {},
  });
  const rows: Row[] = [];
  const cases = [
    { what: `first start to registered, ${kind}`, upstream: 35 },
    { what: `start with kept AK to registered, ${kind}`, upstream: 28 },
  ];
  for (const { what, upstream } of cases) {
    machine.tpm.mux.reset();
    const began = performance.now();
    await agent.start();
    const milliseconds = performance.now() - began;
    rows.push({ what, commands: total(machine), milliseconds, upstream });
    await agent.stop();
  }
  return rows;
}

function table(rows: readonly Row[]): string {
  const head = ["", "TPM commands", "ms", "rust-keylime", "ratio"];
  const cells = rows.map(({ what, commands, milliseconds, upstream }) => [
    what,
    String(commands),
    milliseconds.toFixed(1),
    String(upstream),
    (commands / upstream).toFixed(2),
  ]);
  const widths = head.map((_, column) =>
    Math.max(...[head, ...cells].map((row) => row[column]?.length ?? 0))
  );
  return [head, ...cells].map((row) =>
    row.map((cell, column) =>
      column === 0
        ? cell.padEnd(widths[column] ?? 0)
        : cell.padStart(widths[column] ?? 0)
    ).join("  ") + "\n"
  ).join("");
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

await setUpLab(() => {});
await using lab = await Lab.start();
const rows: Row[] = [];
for (const kind of Object.keys(KINDS)) {
  rows.push(...await quoteRows(lab, kind), ...await startRows(lab, kind));
}
say(table(rows));
