/**
 * Reading and extending Platform Configuration Registers.
 *
 * @module
 */

import type { Bytes } from "./codec/buffer.ts";
import type { Executor } from "./commands/command.ts";
import { PcrExtend, PcrRead, PcrReset } from "./commands/integrity.ts";
import { digest } from "./crypto.ts";
import { handleEntity, withPassword } from "./entity.ts";
import { DIGEST_SIZES, type TpmHash } from "./spec/algorithms.ts";
import { pcrSelection, selectedPcrs } from "./spec/pcr.ts";

/** The TPM has no bank of this hash, or not these registers in it. */
export class PcrBankError extends Error {
  /** The class's name, also after bundling. */
  override readonly name = "PcrBankError";
}

/**
 * The values of `indices` in bank `hash`, by index in ascending order. A TPM
 * returns at most eight at once, so this takes one TPM2_PCR_Read for each
 * eight.
 *
 * @throws PcrBankError if the TPM has no such bank allocated: it then answers
 * with an empty selection, for ever
 */
export async function readPcrs(
  tpm: Executor,
  hash: TpmHash,
  indices: readonly number[],
): Promise<ReadonlyMap<number, Bytes>> {
  const values = new Map<number, Bytes>();
  let missing = [...new Set(indices)].sort((a, b) => a - b);
  while (missing.length > 0) {
    const { pcrSelectionOut, pcrValues } = await tpm.execute(PcrRead, {
      pcrSelectionIn: pcrSelection(hash, missing),
    });
    const read = selectedPcrs(pcrSelectionOut, hash);
    const isAnswer = read.length > 0 && read.length === pcrValues.length &&
      read.every((index) => missing.includes(index)) &&
      pcrValues.every((value) => value.length === DIGEST_SIZES[hash]);
    if (!isAnswer) {
      throw new PcrBankError(
        `The TPM gives no ${hash} value of PCR ${missing.join(", ")}: ` +
          `is the ${hash} PCR bank allocated?`,
      );
    }
    read.forEach((index, at) => {
      const value = pcrValues[at];
      if (value !== undefined) values.set(index, value);
    });
    missing = missing.filter((index) => !values.has(index));
  }
  return new Map([...values].sort(([a], [b]) => a - b));
}

/** One digest for one bank. */
export interface BankDigest {
  /** The bank. */
  readonly hashAlg: TpmHash;
  /** A digest of its size. */
  readonly digest: Bytes;
}

/** Extends PCR `index` in each given bank. TPM 2.0 Part 3, TPM2_PCR_Extend. */
export async function extendPcr(
  tpm: Executor,
  index: number,
  digests: readonly BankDigest[],
): Promise<void> {
  await tpm.execute(PcrExtend, {
    pcrHandle: withPassword(handleEntity(index)),
    digests,
  });
}

/** Resets PCR `index` in every bank. TPM 2.0 Part 3, TPM2_PCR_Reset. */
export async function resetPcr(tpm: Executor, index: number): Promise<void> {
  await tpm.execute(PcrReset, { pcrHandle: withPassword(handleEntity(index)) });
}

/** What extending a register that holds `value` with `extension` gives. */
export function extended(
  hash: TpmHash,
  value: Uint8Array,
  extension: Uint8Array,
): Bytes {
  return digest(hash, value, extension);
}

/** What a resettable register holds after a reset and one extension. */
export function extendedFromReset(hash: TpmHash, extension: Bytes): Bytes {
  return extended(hash, new Uint8Array(DIGEST_SIZES[hash]), extension);
}
