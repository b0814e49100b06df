/**
 * What the compiler refuses. Each `@ts-expect-error` fails `deno check` when
 * the line after it begins to compile; nothing of this reaches a TPM.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Bytes } from "../../tpm/codec/buffer.ts";
import type { Codec, TypeOf } from "../../tpm/codec/codec.ts";
import { struct, tagged } from "../../tpm/codec/struct.ts";
import { u16 } from "../../tpm/codec/scalars.ts";
import { Quote } from "../../tpm/commands/attestation.ts";
import { GetCapability } from "../../tpm/commands/capability.ts";
import type { Command, Executor } from "../../tpm/commands/command.ts";
import { FlushContext } from "../../tpm/commands/context.ts";
import { CreatePrimary } from "../../tpm/commands/object.ts";
import { handleEntity, withPassword } from "../../tpm/entity.ts";
import { TpmError } from "../../tpm/error.ts";
import { TPM_ALG_ID } from "../../tpm/spec/algorithms.ts";
import type { ClockInfo, TPMS_ATTEST } from "../../tpm/spec/attest.ts";
import { pcrSelection } from "../../tpm/spec/pcr.ts";
import type { TpmtPublic } from "../../tpm/spec/public.ts";
import { ekTemplate } from "../../tpm/templates.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends
  (<T>() => T extends B ? 1 : 2) ? true : false;

/** Compiles only for `true`. */
function expectTrue<T extends true>(is: T): void {
  assert.equal(is, true);
}

type InputOf<C> = C extends Command<infer In, infer _Out> ? In : never;
type OutputOf<C> = C extends Command<infer _In, infer Out> ? Out : never;

const KEY = handleEntity(0x8000_0000);
const INPUT = {
  qualifyingData: new Uint8Array(0),
  inScheme: { scheme: "null" },
  pcrSelect: pcrSelection("sha256", [0]),
} as const;

/** Only declared, for the compiler. */
function uncompilable(tpm: Executor): readonly Promise<unknown>[] {
  return [
    tpm.execute(Quote, { ...INPUT, signHandle: withPassword(KEY) }),
    // @ts-expect-error: the handle wants an authorization
    tpm.execute(Quote, { ...INPUT, signHandle: KEY }),
    // @ts-expect-error: the handle is missing
    tpm.execute(Quote, INPUT),
    tpm.execute(Quote, {
      ...INPUT,
      signHandle: withPassword(KEY),
      // @ts-expect-error: a misspelt parameter
      pcrSelection: [],
    }),
    tpm.execute(Quote, {
      ...INPUT,
      signHandle: withPassword(KEY),
      // @ts-expect-error: a scheme for signing has a hash
      inScheme: { scheme: "ecdsa" },
    }),
    tpm.execute(Quote, {
      ...INPUT,
      signHandle: withPassword(KEY),
      // @ts-expect-error: no scheme signs with this
      inScheme: { scheme: "oaep", hashAlg: "sha256" },
    }),
    // @ts-expect-error: FlushContext has its handle as a parameter, a number
    tpm.execute(FlushContext, { flushHandle: KEY }),
    // @ts-expect-error: no such capability
    tpm.execute(GetCapability, { capability: "pcr", property: 0 }),
  ];
}

Deno.test("execute() takes what Part 3 says, and nothing else", () => {
  assert.equal(uncompilable.length, 1);
  expectTrue<Equal<InputOf<typeof FlushContext>["flushHandle"], number>>(true);
});

Deno.test("execute() gives what Part 3 says", () => {
  type Out = OutputOf<typeof CreatePrimary>;
  expectTrue<Equal<Out["objectHandle"], number>>(true);
  expectTrue<Equal<Out["outPublic"], TpmtPublic>>(true);
  expectTrue<Equal<OutputOf<typeof Quote>["quoted"], Bytes>>(true);
  // @ts-expect-error: a quote makes no handle
  type None = OutputOf<typeof Quote>["objectHandle"];
  expectTrue<Equal<None, None>>(true);
});

Deno.test("u64 is a bigint, and types follow their codecs", () => {
  expectTrue<Equal<ClockInfo["clock"], bigint>>(true);
  expectTrue<
    Equal<TypeOf<typeof TPMS_ATTEST>["firmwareVersion"], bigint>
  >(true);
});

Deno.test("the selector of a union tells its members", () => {
  const area: TpmtPublic = ekTemplate("rsa2048");
  if (area.type === "rsa") {
    expectTrue<Equal<typeof area.unique, Bytes>>(true);
    // @ts-expect-error: an RSA key has no curve
    assert.equal(area.parameters.curveID, undefined);
  }
  // @ts-expect-error: a modulus is not the point of an ECC key
  const wrong: TpmtPublic = {
    ...ekTemplate("ecc256"),
    type: "ecc",
    unique: INPUT.qualifyingData,
  };
  assert.ok(wrong);
});

Deno.test("structures are declared with selectors and arms that exist", () => {
  const fields = { type: TPM_ALG_ID, size: u16 };
  const codecs: readonly { readonly name: string }[] = [
    tagged("A", { fields, on: "type", arms: { rsa: {} } }),
    // @ts-expect-error: no such field
    tagged("B", { fields, on: "typo", arms: { rsa: {} } }),
    // @ts-expect-error: no such algorithm
    tagged("C", { fields, on: "type", arms: { rsaa: {} } }),
  ];
  assert.equal(codecs.length, 3);
});

Deno.test("a codec of one type is no codec of a wider one", () => {
  const narrow = struct("S", { a: u16 });
  // @ts-expect-error: it could be given a value that it cannot write
  const wide: Codec<{ readonly a: number | string }> = narrow;
  assert.ok(wide);
});

Deno.test("TpmError.is() takes names that exist", () => {
  const error = new TpmError(Quote, 0x101);
  assert.equal(error.is("TPM_RC_FAILURE"), true);
  // @ts-expect-error: no such code
  assert.equal(error.is("TPM_RC_FAILED"), false);
});
