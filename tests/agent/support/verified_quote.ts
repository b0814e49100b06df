/**
 * What a verifier finds in a quote text, by the contract and OpenSSL rather
 * than by the code that made it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash, type KeyObject, verify } from "node:crypto";

/** A quote whose signature and digest are right. */
export interface VerifiedQuote {
  /** The signed nonce as text. */
  readonly nonce: string;
  /** The TPM's clock in milliseconds. */
  readonly clock: bigint;
  /** Quoted registers in hexadecimal. */
  readonly pcrs: ReadonlyMap<number, string>;
}

/** Reads big-endian fields one after the other. */
class Fields {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  u16(): number {
    return this.#view.getUint16((this.#at += 2) - 2);
  }

  u64(): bigint {
    return this.#view.getBigUint64((this.#at += 8) - 8);
  }

  take(count: number): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#at += count);
  }

  sized(): Uint8Array {
    return this.take(this.u16());
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }
}

function checkSignature(
  attest: Uint8Array,
  signature: Uint8Array,
  { key, hash }: { readonly key: KeyObject; readonly hash: string },
): void {
  const fields = new Fields(signature);
  const scheme = fields.u16();
  fields.u16();
  if (scheme === 0x14) {
    assert.ok(verify(hash, attest, key, fields.sized()), "bad signature");
  } else {
    assert.equal(scheme, 0x18);
    const padded = (part: Uint8Array): string => part.toHex().padStart(64, "0");
    const raw = Uint8Array.fromHex(
      padded(fields.sized()) + padded(fields.sized()),
    );
    const dsa = { key, dsaEncoding: "ieee-p1363" } as const;
    assert.ok(verify(hash, attest, dsa, raw), "bad signature");
  }
  assert.ok(fields.isAtEnd);
}

/** The registers in a PCR blob of contract section 3.6. */
function registersIn(blob: Uint8Array): Map<number, string> {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.length);
  const selected = Array.from({ length: 24 }, (_, pcr) => pcr)
    .filter((pcr) => (blob[7 + (pcr >> 3)] ?? 0) & 1 << pcr % 8);
  const values: string[] = [];
  for (let at = 136; at < blob.length; at += 532) {
    const count = view.getUint32(at, true);
    for (let slot = at + 4; slot < at + 4 + count * 66; slot += 66) {
      const size = view.getUint16(slot, true);
      values.push(blob.subarray(slot + 2, slot + 2 + size).toHex());
    }
  }
  assert.equal(values.length, selected.length);
  return new Map(selected.map((pcr, at) => [pcr, values[at] ?? ""]));
}

/**
 * What `text` says, signed by `key` over `hash`.
 *
 * @throws AssertionError when a verifier would refuse it
 */
export function verifyQuote(
  text: string,
  trust: { readonly key: KeyObject; readonly hash: string },
): VerifiedQuote {
  assert.equal(text[0], "r");
  const parts = text.slice(1).split(":").map((p) => Uint8Array.fromBase64(p));
  const [attest, signature, blob] = parts;
  assert.ok(attest && signature && blob && parts.length === 3);
  checkSignature(attest, signature, trust);
  const fields = new Fields(attest);
  assert.equal(fields.take(6).toHex(), "ff5443478018");
  fields.sized();
  const nonce = new TextDecoder().decode(fields.sized());
  const clock = fields.u64();
  fields.take(4 + 4 + 1 + 8); // counters, safe, firmware version
  assert.equal(fields.take(4).toHex(), "00000001");
  const selection = fields.take(2 + 1 + 3).toHex();
  const pcrs = registersIn(blob);
  assert.equal(selection.slice(4), `03${blob.subarray(7, 10).toHex()}`);
  const digest = createHash(trust.hash);
  for (const value of pcrs.values()) digest.update(value, "hex");
  assert.equal(fields.sized().toHex(), digest.digest("hex"));
  assert.ok(fields.isAtEnd);
  return { nonce, clock, pcrs };
}
