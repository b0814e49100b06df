/**
 * Selections and values of Platform Configuration Registers.
 *
 * @module
 */

import { fixed, list, shortBuffer } from "../codec/buffer.ts";
import type { TypeOf } from "../codec/codec.ts";
import { CodecError } from "../codec/error.ts";
import { struct, tagged } from "../codec/struct.ts";
import {
  DIGEST_SIZES,
  TPM_ALG_ID,
  type TpmHash,
  TPMI_ALG_HASH,
} from "./algorithms.ts";
import { TPM2B_DIGEST } from "./buffers.ts";

/** How many registers a PC Client TPM has; a selection has a bit for each. */
export const PCR_COUNT = 24;

/** The most hash algorithms that a TPM may have banks for. */
const HASH_COUNT = 16;

/** TPM 2.0 Part 2, TPMS_PCR_SELECTION: bit n of byte n/8 is register n. */
export const TPMS_PCR_SELECTION = struct("TPMS_PCR_SELECTION", {
  hash: TPMI_ALG_HASH,
  pcrSelect: shortBuffer("pcrSelect", 4),
});

/** TPM 2.0 Part 2, TPML_PCR_SELECTION. */
export const TPML_PCR_SELECTION = list(
  "TPML_PCR_SELECTION",
  TPMS_PCR_SELECTION,
  HASH_COUNT,
);

/** The value of a {@linkcode TPML_PCR_SELECTION}. */
export type PcrSelection = TypeOf<typeof TPML_PCR_SELECTION>;

/** TPM 2.0 Part 2, TPML_DIGEST. */
export const TPML_DIGEST = list("TPML_DIGEST", TPM2B_DIGEST, 8);

/** TPM 2.0 Part 2, TPMT_HA, of the hashes that extend a register. */
export const TPMT_HA = tagged("TPMT_HA", {
  fields: { hashAlg: TPM_ALG_ID },
  on: "hashAlg",
  arms: {
    sha1: { digest: fixed("SHA1 digest", DIGEST_SIZES.sha1) },
    sha256: { digest: fixed("SHA256 digest", DIGEST_SIZES.sha256) },
    sha384: { digest: fixed("SHA384 digest", DIGEST_SIZES.sha384) },
    sha512: { digest: fixed("SHA512 digest", DIGEST_SIZES.sha512) },
    sm3_256: { digest: fixed("SM3_256 digest", DIGEST_SIZES.sm3_256) },
    sha3_256: { digest: fixed("SHA3_256 digest", DIGEST_SIZES.sha3_256) },
    sha3_384: { digest: fixed("SHA3_384 digest", DIGEST_SIZES.sha3_384) },
    sha3_512: { digest: fixed("SHA3_512 digest", DIGEST_SIZES.sha3_512) },
  },
});

/** TPM 2.0 Part 2, TPML_DIGEST_VALUES. */
export const TPML_DIGEST_VALUES = list(
  "TPML_DIGEST_VALUES",
  TPMT_HA,
  HASH_COUNT,
);

/**
 * The registers `indices` of one bank, as commands take them: always three
 * bytes, as PC Client TPMs require. Throws CodecError on an index over 23.
 */
export function pcrSelection(
  hash: TpmHash,
  indices: Iterable<number>,
): PcrSelection {
  const pcrSelect = new Uint8Array(PCR_COUNT / 8);
  for (const index of indices) {
    const byte = Math.floor(index / 8);
    const selected = pcrSelect[byte];
    if (selected === undefined || !Number.isInteger(index)) {
      throw new CodecError(`PCR ${index} is not in 0..${PCR_COUNT - 1}`, 0);
    }
    pcrSelect[byte] = selected | 1 << index % 8;
  }
  return [{ hash, pcrSelect }];
}

/** The registers that `selection` names in bank `hash`, ascending. */
export function selectedPcrs(selection: PcrSelection, hash: TpmHash): number[] {
  const indices = new Set<number>();
  for (const bank of selection) {
    if (bank.hash !== hash) continue;
    bank.pcrSelect.forEach((byte, at) => {
      for (let bit = 0; bit < 8; bit++) {
        if (byte >>> bit & 1) indices.add(at * 8 + bit);
      }
    });
  }
  return [...indices].sort((a, b) => a - b);
}
