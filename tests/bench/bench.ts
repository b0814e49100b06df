/**
 * `./dev bench [--json FILE] [--only PART]`: the agent beside the floor, in one
 * table. Counts are exact, and the run fails if one is not what the manual
 * says. Times are medians of this run, side by side, and good for their ratios
 * only.
 *
 * The agent is the executable that is installed, too. Each part is a process of
 * its own, so that none inherits the memory or the compiled code of another.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { buildBest, EXECUTABLE } from "../../packaging/build.ts";
import { V8_FLAGS } from "../../packaging/v8_flags.ts";
import { setUpLab } from "../lab/setup.ts";
import { deno, say } from "../test_run.ts";
import { Report } from "./report.ts";

/** The parts in their order, and V8's options for those that play the agent. */
const PARTS = {
  quotes: [`--v8-flags=${V8_FLAGS}`],
  starts: [],
  polls: [],
  lists: [`--v8-flags=${V8_FLAGS}`],
  verifiers: [],
  vm: [],
} as const;

const { values: { json, only } } = parseArgs({
  args: Deno.args,
  options: { json: { type: "string" }, only: { type: "string" } },
});
if (only !== undefined && !(only in PARTS)) {
  say(`bench: --only takes one of ${Object.keys(PARTS).join(", ")}`);
  Deno.exit(2);
}
await setUpLab(say);
const agent = await buildBest(say);
const report = new Report();
for (const [name, flags] of Object.entries(PARTS)) {
  if (name !== (only ?? name)) continue;
  say(`== ${name}`);
  const file = await Deno.makeTempFile();
  try {
    const { code } = await deno([
      ...["run", "-A", ...flags],
      ...["tests/bench/part.ts", name, file],
    ], { DENO_KEYLIME_AGENT: EXECUTABLE });
    if (code === 0) report.merge(await Deno.readTextFile(file));
    else report.fail(`${name} did not run to its end`);
  } finally {
    await Deno.remove(file);
  }
}
say(`\n${agent}\n\n${report.table}`);
if (json !== undefined) await Deno.writeTextFile(json, report.json(agent));
for (const line of report.wrong) say(`WRONG: ${line}`);
Deno.exitCode = report.wrong.length === 0 ? 0 : 1;
