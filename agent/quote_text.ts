/**
 * The text in which Keylime passes a quote on, and the PCR blob inside it
 * (contract section 3.6).
 *
 * @module
 */

import {
  type Bytes,
  encode,
  pcrSelection,
  TPM_ALG_ID,
  type TpmHash,
  TPMT_SIGNATURE,
  type TpmtSignature,
} from "../tpm/mod.ts";

/** The blob's layout is that of tpm2-tss structures in memory. */
const SELECTION_SLOTS = 16;
const SELECTION_SIZE = 8;
const DIGESTS_PER_LIST = 8;
const DIGEST_SLOT_SIZE = 2 + 64;
const LIST_SIZE = 4 + DIGESTS_PER_LIST * DIGEST_SLOT_SIZE;
const LISTS_AT = 4 + SELECTION_SLOTS * SELECTION_SIZE + 4;

/**
 * PCR values as `tpm2_quote` serializes them: little-endian, one selection,
 * then lists of eight digests.
 *
 * @param values by PCR, in ascending order
 */
export function encodePcrBlob(
  hash: TpmHash,
  values: ReadonlyMap<number, Bytes>,
): Bytes {
  const listCount = Math.ceil(values.size / DIGESTS_PER_LIST);
  const blob = new Uint8Array(LISTS_AT + listCount * LIST_SIZE);
  const view = new DataView(blob.buffer);
  view.setUint32(0, 1, true);
  for (const { pcrSelect } of pcrSelection(hash, values.keys())) {
    view.setUint16(4, TPM_ALG_ID.numbers[hash], true);
    view.setUint8(6, pcrSelect.length);
    blob.set(pcrSelect, 7);
  }
  view.setUint32(LISTS_AT - 4, listCount, true);
  [...values.values()].forEach((digest, index) => {
    const list = LISTS_AT +
      Math.floor(index / DIGESTS_PER_LIST) * LIST_SIZE;
    const slot = index % DIGESTS_PER_LIST;
    view.setUint32(list, slot + 1, true);
    const at = list + 4 + slot * DIGEST_SLOT_SIZE;
    view.setUint16(at, digest.length, true);
    blob.set(digest, at + 2);
  });
  return blob;
}

/** What a quote consists of. */
export interface QuoteParts {
  /** TPMS_ATTEST as the TPM signed it. */
  readonly quoted: Bytes;
  /** The signature over it. */
  readonly signature: TpmtSignature;
  /** The bank. */
  readonly hash: TpmHash;
  /** The quoted registers' values in ascending order. */
  readonly values: ReadonlyMap<number, Bytes>;
}

/** Keylime's quote text: `r` and three parts in Base64. */
export function quoteText(parts: QuoteParts): string {
  const signature = encode(TPMT_SIGNATURE, parts.signature);
  const blob = encodePcrBlob(parts.hash, parts.values);
  return `r${parts.quoted.toBase64()}:${signature.toBase64()}:${blob.toBase64()}`;
}
