/**
 * Quotes: the agent's attestation in this process beside the floor.
 *
 * @module
 */

import { Tpm, type Transport } from "../../tpm/mod.ts";
import { connectSwtpm } from "../../tpm/transport/swtpm.ts";
import { costOf, ManagedTpm } from "../agent/support/managed_tpm.ts";
import {
  KEY_KINDS,
  KEY_PLACES,
  maskOfRegisters,
  openAttester,
} from "../agent/support/quoting.ts";
import type { TpmAddress } from "../lab/tpm_address.ts";
import { manualTable } from "../support/manual.ts";
import { Floor } from "./floor.ts";
import { median, type Report, timed } from "./report.ts";
import { pause } from "./rest.ts";

const ROUNDS = 15;
const QUOTES_PER_ROUND = 4;
/**
 * Before each quote, in milliseconds: a verifier wants the TPM's clock, which
 * counts them, to be later in each, so the agent would quote again.
 */
const PAUSE_MS = 2;

/** A row of the manual's table of quotes. */
interface Documented {
  readonly registers: number;
  readonly sent: number;
  readonly loaded: number;
  readonly persistent: number;
  readonly rustKeylime: number;
}

async function documented(): Promise<readonly Documented[]> {
  const rows = await manualTable("performance.md", "Quotes");
  return rows.map((cells) => {
    const [registers = 0, sent = 0, loaded = 0, persistent = 0, other = 0] =
      cells.map(Number);
    return { registers, sent, loaded, persistent, rustKeylime: other };
  });
}

/** The agent's own way to a swtpm, which takes turns with the floor. */
class Turnstile implements Transport {
  readonly target = "the benchmark's TPM";
  readonly hasResourceManager = false;
  /** Every command that went through. */
  readonly frames: Uint8Array[] = [];
  readonly #address: TpmAddress;
  #way: Transport | undefined;

  constructor(address: TpmAddress) {
    this.#address = address;
  }

  async transmit(command: Uint8Array): Promise<Uint8Array> {
    this.frames.push(command);
    this.#way ??= await connectSwtpm(this.#address);
    return await this.#way.transmit(command);
  }

  /** Hangs up, for swtpm has one client at a time. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#way?.[Symbol.asyncDispose]();
    this.#way = undefined;
  }
}

type Quote = (registers: number) => Promise<unknown>;

/** Runs `work` with a way to make quotes through `tpm`. */
async function withQuotes<T>(
  tpm: Tpm,
  opening: Parameters<typeof openAttester>[1],
  work: (quote: Quote) => Promise<T>,
): Promise<T> {
  await using opened = await openAttester(tpm, opening);
  const { attester } = opened;
  await attester.identityQuote("the first one extends PCR 16");
  let count = 0;
  return await work((registers) =>
    attester.integrityEvidence({
      nonce: `nonce${++count}`,
      mask: maskOfRegisters(registers),
      imaEntry: 0,
    })
  );
}

/** The agent's time for a quote, as a multiple of the floor's. */
async function timeRatio(
  turnstile: Turnstile,
  address: TpmAddress,
  quote: () => Promise<unknown>,
): Promise<number> {
  turnstile.frames.length = 0;
  await pause(PAUSE_MS);
  await quote();
  const frames = turnstile.frames.map((frame) => frame.slice());
  const times: { readonly ours: number[]; readonly floor: number[] } = {
    ours: [],
    floor: [],
  };
  const several = async (one: () => Promise<unknown>): Promise<number> => {
    let sum = 0;
    for (let at = 0; at < QUOTES_PER_ROUND; at++) {
      await pause(PAUSE_MS);
      sum += await timed(one);
    }
    return sum;
  };
  for (let round = 0; round < ROUNDS; round++) {
    await quote();
    times.ours.push(await several(quote));
    await turnstile[Symbol.asyncDispose]();
    using floor = await Floor.connect(address, frames);
    await floor.checkedQuote();
    times.floor.push(await several(() => floor.quote()));
  }
  return median(times.ours) / median(times.floor);
}

/** Adds all that is to say about quotes. */
export async function addQuotes(report: Report): Promise<void> {
  for (const kind of ["RSA", "ECC"] as const) {
    for (const where of ["loaded", "persistent"] as const) {
      await addKey(report, kind, where);
    }
  }
}

async function addKey(
  report: Report,
  kind: keyof typeof KEY_KINDS,
  where: keyof typeof KEY_PLACES,
): Promise<void> {
  await using place = await ManagedTpm.make();
  const { lab } = place;
  const opening = {
    directory: lab.directory,
    options: [...KEY_KINDS[kind], ...KEY_PLACES[where]],
  };
  const rows = await documented();
  const counts = new Map<number, { sent: number; atChip: number }>();
  {
    await using tpm = await place.client();
    await withQuotes(tpm, opening, async (quote) => {
      for (const { registers } of rows) {
        await pause(PAUSE_MS);
        const commands = await place.during(() => quote(registers));
        counts.set(registers, {
          sent: commands.length,
          atChip: costOf(commands),
        });
      }
    });
  }
  const ratios = new Map<number, number>();
  await lab.mux.replace(async () => {
    const turnstile = new Turnstile(lab.address);
    await using tpm = new Tpm(turnstile);
    await withQuotes(tpm, opening, async (quote) => {
      for (const { registers } of rows) {
        ratios.set(
          registers,
          await timeRatio(turnstile, lab.address, () => quote(registers)),
        );
      }
    });
    return lab.address;
  });
  for (const wanted of rows) {
    const { registers, rustKeylime } = wanted;
    const pcrs = registers === 1 ? "1 PCR" : `${registers} PCRs`;
    const what = `quote, ${pcrs}, ${kind} key ${where}`;
    const { sent = NaN, atChip = NaN } = counts.get(registers) ?? {};
    report.expect(`${what}, commands`, sent, wanted.sent);
    report.expect(`${what}, at the chip`, atChip, wanted[where]);
    const ratio = ratios.get(registers) ?? NaN;
    report.add({ what, sent, atChip, rustKeylime, ratio, to: "floor's time" });
  }
}
