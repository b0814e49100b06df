/**
 * Reading whole NV indices.
 *
 * @module
 */

import type { Bytes } from "./codec/buffer.ts";
import { readProperties } from "./capability.ts";
import type { Executor } from "./commands/command.ts";
import { NvRead, NvReadPublic } from "./commands/nv.ts";
import { handleEntity, withPassword } from "./entity.ts";
import { TpmError } from "./error.ts";
import { TPM_PT } from "./spec/capability.ts";

/** Every TPM gives this much at once; most give more. */
const SAFE_CHUNK = 512;

/**
 * The contents of NV index `index`, read with the index's own empty auth, or
 * undefined if the index is not defined or was never written.
 *
 * @throws TpmError if it exists and cannot be read
 */
export async function readNvIndex(
  tpm: Executor,
  index: number,
): Promise<Bytes | undefined> {
  try {
    const { nvPublic, nvName } = await tpm.execute(NvReadPublic, {
      nvIndex: handleEntity(index),
    });
    const entity = { handle: index, name: nvName };
    const chunk = nvPublic.dataSize <= SAFE_CHUNK
      ? SAFE_CHUNK
      : await nvBufferMax(tpm);
    const contents = new Uint8Array(nvPublic.dataSize);
    for (let offset = 0; offset < contents.length;) {
      const { data } = await tpm.execute(NvRead, {
        authHandle: withPassword(entity),
        nvIndex: entity,
        size: Math.min(chunk, contents.length - offset),
        offset,
      });
      if (data.length === 0 || offset + data.length > contents.length) {
        throw new RangeError(
          `NV index gave ${data.length} bytes at offset ${offset} of ${contents.length}`,
        );
      }
      contents.set(data, offset);
      offset += data.length;
    }
    return contents;
  } catch (error) {
    if (error instanceof TpmError && isAbsent(error)) return undefined;
    throw error;
  }
}

function isAbsent(error: TpmError): boolean {
  const undefinedIndex = error.command === "TPM2_NV_ReadPublic" &&
    (error.is("TPM_RC_HANDLE") || error.is("TPM_RC_VALUE"));
  return undefinedIndex || error.is("TPM_RC_NV_UNINITIALIZED");
}

async function nvBufferMax(tpm: Executor): Promise<number> {
  const properties = await readProperties(tpm, TPM_PT.nvBufferMax, 1);
  return properties.get(TPM_PT.nvBufferMax) ?? SAFE_CHUNK;
}
