import assert from "node:assert/strict";
import { readIdentity, Tpm, type TpmOptions } from "../../tpm/mod.ts";
import { ResourceManager } from "../lab/resource_manager.ts";
import { BareTpm } from "./support/bare_tpm.ts";
import { defineNv } from "./support/nv.ts";
import { startAgent, type StartedAgent } from "./support/start.ts";

const DOC = new URL("../../docs/performance.md", import.meta.url);
const CERTIFICATE = new URL(
  "../fixtures/crypto/ekcerts/lab-a-ecc256.der",
  import.meta.url,
);
const PERSISTENT_AK = 'ak_handle = "0x81080001"';
const PERSISTENT_EK = 'ek_handle = "0x81010001"';

/** A command of the agent, and how many the chip made of it. */
type Sent = readonly [name: string, atChip: number];

/** A TPM with an EK certificate, behind a resource manager. */
class ManagedTpm implements AsyncDisposable {
  readonly lab: BareTpm;
  readonly #manager: ResourceManager;
  #sent: Sent[] = [];

  private constructor(lab: BareTpm) {
    this.lab = lab;
    this.#manager = new ResourceManager((bytes) => lab.mux.transmit(bytes));
  }

  static async make(): Promise<ManagedTpm> {
    const lab = await BareTpm.make();
    await defineNv(lab, [0x01c0_000a, await Deno.readFile(CERTIFICATE)]);
    return new ManagedTpm(lab);
  }

  /** A client as the agent has it of `/dev/tpmrm0`. */
  async client(): Promise<Tpm> {
    const options: TpmOptions = {
      bare: this.#manager.open(),
      onCommand: ({ name }) => {
        this.#sent.push([name, this.#total]);
        this.lab.mux.reset();
      },
    };
    const tpm = new Tpm(this.#manager.open(), options);
    // The manager's own first look at the TPM is not the agent's.
    await readIdentity(tpm);
    return tpm;
  }

  get #total(): number {
    return [...this.lab.mux.counts.values()].reduce((sum, n) => sum + n, 0);
  }

  /** What `work` sends, and what it costs. */
  async during(work: () => Promise<unknown>): Promise<readonly Sent[]> {
    this.lab.mux.reset();
    this.#sent = [];
    await work();
    return [...this.#sent];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.lab[Symbol.asyncDispose]();
  }
}

function cost(sent: readonly Sent[]): number {
  return sent.reduce((sum, [, atChip]) => sum + atChip, 0);
}

/** What a start with a kept key sends, and `look` at the agent. */
async function laterStart(
  place: ManagedTpm,
  options: readonly string[],
  look: (agent: StartedAgent) => Promise<unknown> = () => Promise.resolve(),
): Promise<readonly Sent[]> {
  {
    await using tpm = await place.client();
    await using agent = await startAgent(place.lab, { tpm, options });
    await agent.attester.identityQuote("first");
  }
  await using tpm = await place.client();
  let agent: StartedAgent | undefined;
  const sent = await place.during(async () => {
    agent = await startAgent(place.lab, { tpm, options });
  });
  await using started = agent;
  assert.ok(started);
  await look(started);
  return sent;
}

/** Column `column` of the manual's table of start commands, and their sum. */
async function documented(
  column: number,
): Promise<{ readonly sent: readonly Sent[]; readonly sum: number }> {
  const text = await Deno.readTextFile(DOC);
  const rows = text.split("\n").flatMap((line): Sent[] => {
    const cells = line.split("|").map((cell) => cell.trim());
    const name = /^(?:`(TPM2_\w+)`|sum)$/.exec(cells[1] ?? "");
    const atChip = Number(cells[column] ?? "");
    return name === null || Number.isNaN(atChip)
      ? []
      : [[name[1] ?? "sum", atChip]];
  });
  const last = rows.at(-1);
  assert.ok(last?.[0] === "sum", "the table has no sum at its end");
  return { sent: rows.slice(0, -1), sum: last[1] };
}

Deno.test("a start with a kept key sends the commands that the manual lists", async (t) => {
  const rows = [
    { name: "by default", options: [], column: 2, total: 55 },
    { name: "with ak_handle", options: [PERSISTENT_AK], column: 3, total: 29 },
    {
      name: "with ak_handle and ek_handle",
      options: [PERSISTENT_AK, PERSISTENT_EK],
      column: 4,
      total: 15,
    },
  ];
  for (const { name, options, column, total } of rows) {
    await t.step(name, async () => {
      await using place = await ManagedTpm.make();
      await place.lab.tool("tpm2_createek", "-G", "ecc", "-c", "0x81010001");
      const sent = await laterStart(place, options);
      const manual = await documented(column);
      assert.deepEqual(sent, manual.sent);
      assert.deepEqual([cost(sent), manual.sum], [total, total]);
    });
  }
});

Deno.test("a steady quote is at the floor of TPM commands", async (t) => {
  const rows = [
    { name: "by default", options: [], few: 5, many: 7 },
    { name: "with ak_handle", options: [PERSISTENT_AK], few: 2, many: 4 },
  ];
  for (const { name, options, few, many } of rows) {
    await t.step(name, async () => {
      await using place = await ManagedTpm.make();
      await laterStart(place, options, async ({ attester }) => {
        const quote = (mask: number): Promise<readonly Sent[]> =>
          place.during(() =>
            attester.integrityEvidence({ nonce: "steady", mask, imaEntry: 0 })
          );
        // Seven registers, and PCR 16, which is in every quote.
        const eight = await quote(0x7f);
        assert.deepEqual(eight.map(([command]) => command), [
          "TPM2_PCR_Read",
          "TPM2_Quote",
        ]);
        assert.equal(cost(eight), few);
        assert.equal(cost(await quote(0xff_ffff)), many);
      });
    });
  }
});

Deno.test("PCR 16 is not extended again while it holds the payload key", async () => {
  await using lab = await BareTpm.make();
  const counts: number[] = [];
  for (let turn = 0; turn < 2; turn++) {
    const commands = await lab.during(async () => {
      await using agent = await startAgent(lab, { tpm: lab.tpm });
      await agent.attester.identityQuote("nonce1");
      await agent.attester.identityQuote("nonce2");
    });
    counts.push(
      commands.filter((name) => /^TPM2_PCR_(Extend|Reset)$/.test(name)).length,
    );
  }
  assert.deepEqual(counts, [1, 0]);
});
