/**
 * Options of V8 that every kind of executable has.
 *
 * The young generation would grow to 16 MiB whenever a long list is sent. V8's
 * optimising compilers take more memory, for good, than they save processor
 * time in a program that answers once in two seconds: see docs/performance.md.
 * The agent asks for collections itself, in `service/memory.ts`.
 *
 * @module
 */

/** As `--v8-flags` takes them. */
export const V8_FLAGS: string = [
  "--max-semi-space-size=2",
  "--no-opt",
  "--no-maglev",
  "--expose-gc",
].join(",");
