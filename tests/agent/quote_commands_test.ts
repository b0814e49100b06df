import assert from "node:assert/strict";
import { manualTable } from "../support/manual.ts";
import { costOf, ManagedTpm } from "./support/managed_tpm.ts";
import {
  KEY_KINDS,
  KEY_PLACES,
  maskOfRegisters,
  openAttester,
} from "./support/quoting.ts";

/** What a quote must cost: registers, commands, at the chip, with `ak_handle`. */
const COSTS = [
  [1, 2, 5, 2],
  [8, 2, 5, 2],
  [9, 3, 6, 3],
  [24, 4, 7, 4],
] as const;

Deno.test("the manual says what a quote costs", async () => {
  const rows = await manualTable("performance.md", "Quotes");
  const numbers = rows.map((cells) => cells.slice(0, 4).map(Number));
  assert.deepEqual(numbers, COSTS);
});

Deno.test("a steady quote is at the floor of TPM commands", async (t) => {
  for (const [kind, key] of Object.entries(KEY_KINDS)) {
    await using place = await ManagedTpm.make();
    for (const [where, options] of Object.entries(KEY_PLACES)) {
      await using tpm = await place.client();
      await using opened = await openAttester(tpm, {
        directory: place.lab.directory,
        options: [...key, ...options],
      });
      const { attester } = opened;
      await attester.identityQuote("the first one extends PCR 16");
      for (const [registers, sent, loaded, persistent] of COSTS) {
        await t.step(`${kind} key ${where}, ${registers} PCRs`, async () => {
          // Two quotes of the same millisecond would be three.
          await new Promise((resolve) => setTimeout(resolve, 2));
          const mask = maskOfRegisters(registers);
          const commands = await place.during(() =>
            attester.integrityEvidence({ nonce: "steady", mask, imaEntry: 0 })
          );
          assert.deepEqual(
            commands.map(([name]) => name),
            [...Array(sent - 1).fill("TPM2_PCR_Read"), "TPM2_Quote"],
          );
          assert.equal(
            costOf(commands),
            where === "loaded" ? loaded : persistent,
          );
        });
      }
    }
  }
});
