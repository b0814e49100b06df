/**
 * `./dev bench [--json FILE]`: the agent beside the floor, in one table. Counts
 * are exact, and the run fails if one is not what the manual says. Times are
 * medians of this run, side by side, and good for their ratios only.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { Lab } from "../lab/lab.ts";
import { setUpLab } from "../lab/setup.ts";
import { addLists } from "./lists.ts";
import { addPolls } from "./polls.ts";
import { addQuotes } from "./quotes.ts";
import { Report } from "./report.ts";
import { addStartCounts, addStartTimes } from "./starts.ts";
import { addVerifiers } from "./verifiers.ts";

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

const { values: { json } } = parseArgs({
  args: Deno.args,
  options: { json: { type: "string" } },
});
await setUpLab(() => {});
const report = new Report();
await addQuotes(report);
await addStartCounts(report);
{
  await using lab = await Lab.start();
  await addPolls(report, lab);
  await addLists(report, lab);
  await addVerifiers(report, lab);
  await addStartTimes(report, lab);
}
say(report.table);
if (json !== undefined) await Deno.writeTextFile(json, report.json);
for (const line of report.wrong) say(`WRONG: ${line}\n`);
Deno.exitCode = report.wrong.length === 0 ? 0 : 1;
