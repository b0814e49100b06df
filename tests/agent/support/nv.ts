/**
 * NV indices as a TPM's maker leaves them.
 *
 * @module
 */

import type { BareTpm } from "./bare_tpm.ts";

/** Attributes of an index that anybody may read. */
const READABLE = "ownerwrite|ownerread|authread|no_da";

/** How an index is made. */
export interface NvOptions {
  /** Its attributes in tpm2-tools' spelling; readable by all unless told. */
  readonly attributes?: string;
  /** Its size in bytes, with the rest left as the TPM has it. */
  readonly size?: number;
}

/** Makes `index` with `contents`, unwritten if those are undefined. */
export async function defineNv(
  lab: BareTpm,
  [index, contents]: readonly [number, Uint8Array | undefined],
  { attributes = READABLE, size = contents?.length ?? 16 }: NvOptions = {},
): Promise<void> {
  const name = `0x${index.toString(16)}`;
  await lab.tool(
    ...["tpm2_nvdefine", name, "-C", "o", "-s", String(size)],
    ...["-a", attributes],
  );
  if (contents === undefined) return;
  const file = lab.path("nv.bin");
  await Deno.writeFile(file, contents);
  await lab.tool("tpm2_nvwrite", name, "-C", "o", "-i", file);
}
