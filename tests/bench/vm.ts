/**
 * The virtual machine: what only a real kernel can show. TPM commands are
 * counted at the chip, below the kernel's resource manager; the measurement list
 * is the kernel's own, short and with 10,000 entries more. All is emulated, so
 * times are good for their ratios only.
 *
 * @module
 */

import { waitFor } from "../lab/wait.ts";
import { AttestedMachine, PATIENCE, UNIT } from "../vm/attested_machine.ts";
import {
  bootsUp,
  configure,
  registers,
  startsAlone,
} from "../vm/first_boot.ts";
import { type Resident, resident } from "../vm/measures.ts";
import { QuoteClient } from "../vm/quote_client.ts";
import { reasonToSkip, setUpVm } from "../vm/requirements.ts";
import { say } from "../test_run.ts";
import { median, type Report, timed } from "./report.ts";
import { pause, REST_MS } from "./rest.ts";

const QUOTES = 20;
const POLLS = 15;
const NEW_ENTRIES = 10;
const MORE_ENTRIES = 10_000;

/** 1, 8, 9 and 24 registers: PCR 16 is always quoted. */
const MASKS: readonly (readonly [pcrs: number, mask: number])[] = [
  [1, 0],
  [8, 0x47e],
  [9, 0x4fe],
  [24, 0xffffff],
];

/** Commands at the chip for one quote, as docs/performance.md has them. */
const LOADED = new Map([[1, 5], [8, 5], [9, 6], [24, 7]]);
const PERSISTENT = new Map([[1, 2], [8, 2], [9, 3], [24, 4]]);

/** Where the kernel measures what root reads, and no policy looks. */
const FILES = "/var/lib/measured";

const AK_HANDLE = "0x81010002";

async function addQuotes(
  report: Report,
  all: AttestedMachine,
  { kind, wanted }: {
    readonly kind: string;
    readonly wanted: ReadonlyMap<number, number>;
  },
): Promise<void> {
  using client = await QuoteClient.open(all);
  for (const [pcrs, mask] of MASKS) {
    await client.quote(mask);
    const counts = await all.machine.chipCommands(async () => {
      for (let i = 0; i < QUOTES; i++) await client.quote(mask);
    });
    const atChip = counts.values().reduce((sum, n) => sum + n, 0) / QUOTES;
    const what = `quote of ${pcrs} PCRs on /dev/tpmrm0, ${kind}`;
    report.add({ what, atChip });
    report.expect(what, atChip, wanted.get(pcrs) ?? NaN);
  }
}

/**
 * Starts the agent anew with `option` set in its configuration, or not; resolves
 * when it is registered again, which is the last that it needs its other key for.
 */
async function restartWith(
  all: AttestedMachine,
  option: string | undefined,
): Promise<void> {
  const { guest } = all;
  const path = "/etc/keylime/agent.conf.d/bench.conf";
  if (option === undefined) await guest.ok(["rm", path]);
  else await guest.write(path, `[agent]\n${option}\n`);
  await guest.ok(["systemctl", "restart", UNIT], PATIENCE.timeoutMs);
  await waitFor("the registration", async () => {
    const text = await all.property("StatusText");
    return text.startsWith("Registered");
  }, PATIENCE);
}

/** Has root read `count` files that the kernel has not measured yet. */
async function measureFiles(
  { guest }: AttestedMachine,
  count: number,
): Promise<void> {
  await guest.shell(
    `dir=$(mktemp -d ${FILES}/XXXXXX) && cd "$dir" &&
     seq ${count} | split -a 4 -l 1 - "" && cat ./* >/dev/null`,
    1_800_000,
  );
}

async function addLists(report: Report, all: AttestedMachine): Promise<void> {
  using client = await QuoteClient.open(all);
  await all.guest.ok(["mkdir", "-p", FILES]);
  const poll = async (): Promise<number> => {
    await measureFiles(all, NEW_ENTRIES);
    return await timed(() => client.quote());
  };
  const rounds = async (): Promise<number> => {
    await client.quote();
    const times: number[] = [];
    for (let i = 0; i < POLLS; i++) times.push(await poll());
    return median(times);
  };
  const short = await rounds();
  const { entries } = client;
  say(`${entries} entries; ${MORE_ENTRIES} more`);
  await measureFiles(all, MORE_ENTRIES);
  const long = await rounds();
  report.add({
    what: `poll with ${NEW_ENTRIES} new entries, ${client.entries} in the list`,
    ratio: long / short,
    to: `with ${entries}`,
    figure: { value: long, unit: "ms" },
  });
  using late = await QuoteClient.open(all);
  const whole = await timed(() => late.quote());
  report.add({
    what: `first poll of ${late.entries} entries`,
    ratio: whole / long,
    to: "the poll before",
    figure: { value: whole, unit: "ms" },
  });
}

/** Adds what the agent's process has in memory, beside what it had `before`. */
async function addMemory(
  report: Report,
  all: AttestedMachine,
  before: Resident,
): Promise<void> {
  const add = (when: string, { all, anonymous }: Resident): void => {
    const parts = [
      ["resident", all, before.all],
      ["anonymous", anonymous, before.anonymous],
    ] as const;
    for (const [what, bytes, reference] of parts) {
      report.add({
        what: `${what} memory in the virtual machine ${when}`,
        ratio: bytes / reference,
        to: "registered",
        figure: { value: bytes / 2 ** 20, unit: "MiB" },
      });
    }
  };
  add("registered", before);
  add("after polls", await resident(all));
  say("Rest");
  await pause(REST_MS);
  add("at rest again", await resident(all));
}

/** Adds all that is to say about it, where there can be one. */
export async function addVirtualMachine(report: Report): Promise<void> {
  const reason = await reasonToSkip();
  if (reason !== undefined) {
    say(`The virtual machine is left out: ${reason}`);
    return;
  }
  await setUpVm(say);
  await using all = await AttestedMachine.make(say, { isTpmLogged: true });
  await bootsUp(all);
  await configure(all);
  await startsAlone(all);
  await registers(all);
  say("Quotes with a loaded key");
  await addQuotes(report, all, { kind: "AK loaded", wanted: LOADED });
  await restartWith(all, `ak_handle = "${AK_HANDLE}"`);
  say("Quotes with a persistent key");
  await addQuotes(report, all, { kind: "AK persistent", wanted: PERSISTENT });
  await all.guest.ok(["systemctl", "stop", UNIT]);
  say(await all.guest.ok(["keylime_agent", "--evict-ak"]));
  await restartWith(all, undefined);
  const registered = await resident(all);
  say("Polls of the measurement list");
  await addLists(report, all);
  await addMemory(report, all, registered);
}
