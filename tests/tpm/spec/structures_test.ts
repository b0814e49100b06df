import assert from "node:assert/strict";
import fc from "fast-check";
import { type Codec, decode, encode } from "../../../tpm/codec/codec.ts";
import { CodecError } from "../../../tpm/codec/error.ts";
import { TPMS_ATTEST } from "../../../tpm/spec/attest.ts";
import { TPMS_CAPABILITY_DATA } from "../../../tpm/spec/capability.ts";
import { TPMS_CONTEXT } from "../../../tpm/spec/context.ts";
import { TPMS_NV_PUBLIC } from "../../../tpm/spec/nv.ts";
import {
  TPML_DIGEST_VALUES,
  TPML_PCR_SELECTION,
  TPMT_HA,
} from "../../../tpm/spec/pcr.ts";
import { TPM2B_PUBLIC, TPMT_PUBLIC } from "../../../tpm/spec/public.ts";
import {
  TPMS_AUTH_COMMAND,
  TPMS_AUTH_RESPONSE,
} from "../../../tpm/spec/session.ts";
import { TPMT_SIGNATURE } from "../../../tpm/spec/signature.ts";
import * as arbitrary from "../arbitraries.ts";

/** A structure with its arbitrary values; `check` hides what they are. */
interface Row {
  readonly codec: { readonly name: string };
  readonly check: (runs: number, property: Property) => void;
}

type Property = <T>(codec: Codec<T>, value: T) => void;

function row<T>(codec: Codec<T>, values: fc.Arbitrary<T>): Row {
  return {
    codec,
    check: (numRuns, property) =>
      fc.assert(
        fc.property(values, (value) => property(codec, value)),
        { numRuns },
      ),
  };
}

const ROWS: readonly Row[] = [
  row(TPMT_PUBLIC, arbitrary.publicArea),
  row(TPM2B_PUBLIC, arbitrary.publicArea),
  row(TPMS_ATTEST, arbitrary.attestation),
  row(TPMT_SIGNATURE, arbitrary.signature),
  row(TPML_PCR_SELECTION, arbitrary.selection),
  row(TPMT_HA, arbitrary.taggedDigest),
  row(
    TPML_DIGEST_VALUES,
    fc.array(arbitrary.taggedDigest, { maxLength: 16 }),
  ),
  row(TPMS_NV_PUBLIC, arbitrary.nvPublic),
  row(TPMS_CONTEXT, arbitrary.context),
  row(TPMS_AUTH_COMMAND, arbitrary.authCommand),
  row(TPMS_AUTH_RESPONSE, arbitrary.authResponse),
  row(TPMS_CAPABILITY_DATA, arbitrary.capabilityData),
];

function eachStructure(
  name: string,
  runs: number,
  property: Property,
): void {
  Deno.test(name, async (t) => {
    for (const { codec, check } of ROWS) {
      await t.step(codec.name, () => check(runs, property));
    }
  });
}

eachStructure("every value survives its encoding", 100, (codec, value) => {
  assert.deepEqual(decode(codec, encode(codec, value)), value);
});

eachStructure("every strict prefix is refused", 20, (codec, value) => {
  const bytes = encode(codec, value);
  for (let size = 0; size < bytes.length; size++) {
    const prefix = bytes.subarray(0, size);
    assert.throws(() => decode(codec, prefix), CodecError);
  }
});

eachStructure("every byte more is refused", 20, (codec, value) => {
  const longer = Uint8Array.of(...encode(codec, value), 0);
  assert.throws(() => decode(codec, longer), CodecError);
});

eachStructure(
  "a changed byte makes another canonical encoding, or is refused",
  20,
  (codec, value) => {
    const bytes = encode(codec, value);
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ (1 << at % 8);
      try {
        const recoded = encode(codec, decode(codec, changed));
        assert.equal(recoded.toHex(), changed.toHex());
      } catch (error) {
        assert.ok(error instanceof CodecError, String(error));
      }
    }
  },
);

Deno.test("hostile counts and sizes are refused by their bound", async (t) => {
  const rows: readonly [string, () => unknown, RegExp][] = [
    [
      "a list of 2^32 - 1 selections",
      () => decode(TPML_PCR_SELECTION, Uint8Array.fromHex("ffffffff")),
      /4294967295 entries exceed the maximum of 16/,
    ],
    [
      "a list of 2^32 - 1 handles",
      () =>
        decode(TPMS_CAPABILITY_DATA, Uint8Array.fromHex("00000001ffffffff")),
      /4294967295 entries exceed the maximum of 254/,
    ],
    [
      "a list of 17 digests",
      () => decode(TPML_DIGEST_VALUES, Uint8Array.fromHex("00000011")),
      /17 entries exceed the maximum of 16/,
    ],
    [
      "a selection of 255 bytes",
      () => decode(TPML_PCR_SELECTION, Uint8Array.fromHex("00000001000bff")),
      /255 bytes exceed the maximum of 4/,
    ],
    [
      "a public area of 65535 bytes",
      () => decode(TPM2B_PUBLIC, Uint8Array.fromHex("ffff0001")),
      /65535 bytes are needed, 2 are left/,
    ],
    [
      "a Name of 65535 bytes",
      () => decode(TPMS_ATTEST, Uint8Array.fromHex("ff5443478018ffff")),
      /qualifiedSigner: 65535 bytes exceed the maximum of 66/,
    ],
    [
      "a context of 65535 bytes",
      () => decode(TPMS_CONTEXT, Uint8Array.fromHex(`${"00".repeat(16)}ffff`)),
      /contextBlob: 65535 bytes exceed the maximum of 5120/,
    ],
    [
      "a magic that no TPM writes",
      () => decode(TPMS_ATTEST, Uint8Array.fromHex("ff5443488018")),
      /magic: 0xff544348 stands where only 0xff544347 may/,
    ],
  ];
  for (const [name, read, message] of rows) {
    await t.step(name, () => {
      assert.throws(read, (error) => {
        assert.ok(error instanceof CodecError);
        assert.match(error.message, message);
        return true;
      });
    });
  }
});
