import assert from "node:assert/strict";
import { manualTable } from "../support/manual.ts";
import { BareTpm } from "./support/bare_tpm.ts";
import { laterStart } from "./support/later_start.ts";
import { costOf, ManagedTpm, type Sent } from "./support/managed_tpm.ts";
import { defineNv } from "./support/nv.ts";
import { startAgent } from "./support/start.ts";

const CERTIFICATE = new URL(
  "../fixtures/crypto/ekcerts/lab-a-ecc256.der",
  import.meta.url,
);
const PERSISTENT_AK = 'ak_handle = "0x81080001"';
const PERSISTENT_EK = 'ek_handle = "0x81010001"';

/** Column `column` of the manual's table of start commands, and their sum. */
async function documented(
  column: number,
): Promise<{ readonly sent: readonly Sent[]; readonly sum: number }> {
  const rows = (await manualTable("performance.md", "Start"))
    .map((cells): Sent => [
      (cells[0] ?? "").replaceAll("`", ""),
      Number(cells[column] ?? ""),
    ])
    .filter(([, atChip]) => !Number.isNaN(atChip));
  const last = rows.at(-1);
  assert.ok(last?.[0] === "sum", "the table has no sum at its end");
  return { sent: rows.slice(0, -1), sum: last[1] };
}

Deno.test("a start with a kept key sends the commands that the manual lists", async (t) => {
  const rows = [
    { name: "by default", options: [], column: 1, total: 55 },
    { name: "with ak_handle", options: [PERSISTENT_AK], column: 2, total: 29 },
    {
      name: "with ak_handle and ek_handle",
      options: [PERSISTENT_AK, PERSISTENT_EK],
      column: 3,
      total: 15,
    },
  ];
  for (const { name, options, column, total } of rows) {
    await t.step(name, async () => {
      await using place = await ManagedTpm.make();
      await defineNv(place.lab, [
        0x01c0_000a,
        await Deno.readFile(CERTIFICATE),
      ]);
      await place.lab.tool("tpm2_createek", "-G", "ecc", "-c", "0x81010001");
      const sent = await laterStart(place, options, (agent) => {
        const methods = agent.requests.map((line) => line.split(" ")[0]);
        assert.deepEqual(methods, ["GET", "POST", "PUT"]);
        return Promise.resolve();
      });
      const manual = await documented(column);
      assert.deepEqual(sent, manual.sent);
      assert.deepEqual([costOf(sent), manual.sum], [total, total]);
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
