/**
 * Takes much memory that is garbage at once, gives it back, and prints as JSON
 * what was resident before, then, and afterwards. The argument says whose heap
 * the memory is on: `V8` or `libc`.
 *
 * @module
 */

import process from "node:process";
import { processHeaps } from "../../../service/memory.ts";

const COUNT = 8 * 1024;

/** 8 KiB: too small for the C library to ask the system for each by itself. */
const MAKERS: Readonly<Record<string, () => { readonly length: number }>> = {
  V8: () => Array.from({ length: 1024 }, (_, at) => at),
  libc: () => new Uint8Array(8 * 1024).fill(1),
};

/** Returns how many bytes are resident while it has what it takes. */
function take(
  make: () => { readonly length: number },
  resident: () => number,
): number {
  const taken = Array.from({ length: COUNT }, make);
  return taken.every(({ length }) => length > 0) ? resident() : 0;
}

const make = MAKERS[Deno.args[0] ?? ""];
if (make === undefined) throw new Error("Which heap?");
const heaps = processHeaps();
const before = heaps.resident();
const used = take(make, heaps.resident);
heaps.collect();
await new Promise((resolve) => setTimeout(resolve, 1_000));
heaps.trim();
process.stdout.write(JSON.stringify({
  before,
  used,
  after: heaps.resident(),
}));
