/**
 * One part of the benchmark: its name is the first argument, the second is the
 * file that its rows go to.
 *
 * @module
 */

import { addLists } from "./lists.ts";
import { addPolls } from "./polls.ts";
import { addQuotes } from "./quotes.ts";
import { Report } from "./report.ts";
import { addStarts } from "./starts.ts";
import { addVerifiers } from "./verifiers.ts";
import { addVirtualMachine } from "./vm.ts";

const PARTS: Readonly<Record<string, (report: Report) => Promise<void>>> = {
  quotes: addQuotes,
  starts: addStarts,
  polls: addPolls,
  lists: addLists,
  verifiers: addVerifiers,
  vm: addVirtualMachine,
};

const [name = "", file = ""] = Deno.args;
const add = PARTS[name];
if (add === undefined) throw new Error(`There is no part "${name}"`);
const report = new Report();
await add(report);
await Deno.writeTextFile(file, report.rows);
