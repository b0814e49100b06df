/**
 * The outer bounds of DER certificates: nothing inside them is looked at.
 *
 * @module
 */

/** Identifier of a SEQUENCE, which every certificate is. */
const SEQUENCE = 0x30;

/**
 * The SEQUENCE at the start of `bytes`, without whatever follows it: TPM NV
 * indices are often larger than their certificate (contract section 3.3).
 * Returns undefined when `bytes` starts with something else, has an indefinite
 * or more than three-byte length, or ends too soon. The result is a view of
 * `bytes`.
 */
export function trimDer(bytes: Uint8Array): Uint8Array | undefined {
  const [identifier, first] = bytes;
  if (identifier !== SEQUENCE || first === undefined) return undefined;
  let end = 2 + first;
  if (first >= 0x80) {
    const lengthBytes = first - 0x80;
    if (lengthBytes === 0 || lengthBytes > 3) return undefined;
    end = 2 + lengthBytes;
    if (bytes.length < end) return undefined;
    let length = 0;
    for (const byte of bytes.subarray(2, end)) length = length * 256 + byte;
    end += length;
  }
  return bytes.length < end ? undefined : bytes.subarray(0, end);
}

/**
 * The SEQUENCEs that stand one after the other at the start of `bytes`, as
 * views of it; stops at the first bytes that are none. Throws RangeError when
 * there are more than `limit`.
 */
export function splitDer(bytes: Uint8Array, limit = 64): Uint8Array[] {
  const found: Uint8Array[] = [];
  let rest = bytes;
  for (;;) {
    const der = trimDer(rest);
    if (der === undefined) return found;
    if (found.length === limit) {
      throw new RangeError(`More than ${limit} certificates in one row`);
    }
    found.push(der);
    rest = rest.subarray(der.length);
  }
}
