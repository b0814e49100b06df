/**
 * Options of V8 that every kind of executable has, for docs/performance.md's
 * reasons: the young generation would grow to 16 MiB whenever a long list is
 * sent; the optimising compilers take 7 MiB for good and save a verifier's poll
 * a fifth of a millisecond; `service/memory.ts` asks for collections.
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
