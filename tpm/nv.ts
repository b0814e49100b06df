/**
 * Reading whole NV indices.
 *
 * @module
 */

import type { Bytes } from "./codec/buffer.ts";
import { CodecError } from "./codec/error.ts";
import type { Executor } from "./commands/command.ts";
import { NvRead, NvReadPublic } from "./commands/nv.ts";
import { handleEntity, withPassword } from "./entity.ts";
import { TpmError } from "./error.ts";
import { formatHandle } from "./spec/handles.ts";

/**
 * The contents of NV index `index`, read with the index's own empty auth, or
 * undefined if the index is not defined or was never written.
 *
 * @param chunk how much the TPM gives at once: TPM_PT_NV_BUFFER_MAX
 * @throws TpmError if it exists and cannot be read; CodecError if the TPM gives
 * more than there is, or nothing
 */
export async function readNvIndex(
  tpm: Executor,
  index: number,
  chunk: number,
): Promise<Bytes | undefined> {
  try {
    const { nvPublic, nvName } = await tpm.execute(NvReadPublic, {
      nvIndex: handleEntity(index),
    });
    const entity = { handle: index, name: nvName };
    const contents = new Uint8Array(nvPublic.dataSize);
    for (let offset = 0; offset < contents.length;) {
      const { data } = await tpm.execute(NvRead, {
        authHandle: withPassword(entity),
        nvIndex: entity,
        size: Math.min(chunk, contents.length - offset),
        offset,
      });
      const left = contents.length - offset;
      if (data.length === 0 || data.length > left) {
        throw new CodecError(
          `NV index ${formatHandle(index)} gave ${data.length} bytes where ` +
            `1 to ${left} were expected`,
          offset,
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
