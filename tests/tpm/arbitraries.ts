/**
 * Arbitrary values of TPM structures, for property tests.
 *
 * @module
 */

import fc from "fast-check";
import type { Bytes } from "../../tpm/codec/buffer.ts";
import {
  type Codec,
  decode,
  encode,
  type TypeOf,
} from "../../tpm/codec/codec.ts";
import { u32, u8 } from "../../tpm/codec/scalars.ts";
import {
  DIGEST_SIZES,
  TPM_ALG_ID,
  TPM_ECC_CURVE,
  type TpmHash,
} from "../../tpm/spec/algorithms.ts";
import { TPM_GENERATED_VALUE, type TpmsAttest } from "../../tpm/spec/attest.ts";
import type { TPMS_CAPABILITY_DATA } from "../../tpm/spec/capability.ts";
import type { TPMS_CONTEXT } from "../../tpm/spec/context.ts";
import { type NvPublic, TPMA_NV } from "../../tpm/spec/nv.ts";
import type { PcrSelection, TPMT_HA } from "../../tpm/spec/pcr.ts";
import { TPMA_OBJECT, type TpmtPublic } from "../../tpm/spec/public.ts";
import type {
  TPMT_ECC_SCHEME,
  TPMT_KDF_SCHEME,
  TPMT_KEYEDHASH_SCHEME,
  TPMT_RSA_SCHEME,
  TPMT_SYM_DEF_OBJECT,
} from "../../tpm/spec/schemes.ts";
import {
  type AuthCommand,
  type AuthResponse,
  TPMA_SESSION,
} from "../../tpm/spec/session.ts";
import type { TpmtSignature } from "../../tpm/spec/signature.ts";

/** Objects with fields as in `model`, just like those that codecs make. */
export function record<T>(
  model: { [K in keyof T]: fc.Arbitrary<T[K]> },
): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

/** Up to `max` bytes. */
export function bytes(max: number): fc.Arbitrary<Bytes> {
  return fc.uint8Array({ maxLength: max }).map((b) => Uint8Array.from(b));
}

function exactly(size: number): fc.Arbitrary<Bytes> {
  return fc.uint8Array({ minLength: size, maxLength: size })
    .map((b) => Uint8Array.from(b));
}

const word = fc.nat(0xffff_ffff);
const half = fc.nat(0xffff);
const long = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const digest = bytes(64);
const name = bytes(66);

/** Any word of flags, those without a name among them. */
function flags<T>(codec: Codec<T>, width: Codec<number>): fc.Arbitrary<T> {
  const max = 256 ** encode(width, 0).length - 1;
  return fc.nat(max).map((raw) => decode(codec, encode(width, raw)));
}

/** A hash algorithm. */
export const hash: fc.Arbitrary<TpmHash> = fc.constantFrom(
  ...Object.keys(DIGEST_SIZES) as TpmHash[],
);

const curve = fc.constantFrom(
  ...Object.keys(TPM_ECC_CURVE.numbers) as TypeOf<typeof TPM_ECC_CURVE>[],
);
const algorithm = fc.constantFrom(
  ...Object.keys(TPM_ALG_ID.numbers) as TypeOf<typeof TPM_ALG_ID>[],
);
const mode = fc.constantFrom("ctr", "ofb", "cbc", "cfb", "ecb", "null");
const hashOrNull = fc.oneof(hash, fc.constant("null" as const));

const symmetric: fc.Arbitrary<TypeOf<typeof TPMT_SYM_DEF_OBJECT>> = fc.oneof(
  record({
    algorithm: fc.constantFrom("aes", "sm4", "camellia"),
    keyBits: half,
    mode,
  }),
  record({ algorithm: fc.constant("null" as const) }),
);

const rsaScheme: fc.Arbitrary<TypeOf<typeof TPMT_RSA_SCHEME>> = fc.oneof(
  record({
    scheme: fc.constantFrom("rsassa", "rsapss", "oaep"),
    hashAlg: hash,
  }),
  record({ scheme: fc.constantFrom("rsaes", "null") }),
);

const eccScheme: fc.Arbitrary<TypeOf<typeof TPMT_ECC_SCHEME>> = fc.oneof(
  record({
    scheme: fc.constantFrom("ecdsa", "sm2", "ecschnorr", "ecdh", "ecmqv"),
    hashAlg: hash,
  }),
  record({ scheme: fc.constant("ecdaa" as const), hashAlg: hash, count: half }),
  record({ scheme: fc.constant("null" as const) }),
);

const kdf: fc.Arbitrary<TypeOf<typeof TPMT_KDF_SCHEME>> = fc.oneof(
  record({
    scheme: fc.constantFrom(
      "mgf1",
      "kdf1_sp800_56a",
      "kdf2",
      "kdf1_sp800_108",
    ),
    hashAlg: hash,
  }),
  record({ scheme: fc.constant("null" as const) }),
);

const keyedHash: fc.Arbitrary<TypeOf<typeof TPMT_KEYEDHASH_SCHEME>> = fc.oneof(
  record({ scheme: fc.constant("hmac" as const), hashAlg: hash }),
  record({
    scheme: fc.constant("xor" as const),
    hashAlg: hash,
    kdf: algorithm,
  }),
  record({ scheme: fc.constant("null" as const) }),
);

const area = {
  nameAlg: hashOrNull,
  objectAttributes: flags(TPMA_OBJECT, u32),
  authPolicy: digest,
};
const point = record({ x: bytes(80), y: bytes(80) });

/** Of {@linkcode TPMT_PUBLIC}. */
export const publicArea: fc.Arbitrary<TpmtPublic> = fc.oneof(
  record({
    type: fc.constant("rsa" as const),
    ...area,
    parameters: record({
      symmetric,
      scheme: rsaScheme,
      keyBits: half,
      exponent: word,
    }),
    unique: bytes(512),
  }),
  record({
    type: fc.constant("ecc" as const),
    ...area,
    parameters: record({ symmetric, scheme: eccScheme, curveID: curve, kdf }),
    unique: point,
  }),
  record({
    type: fc.constant("keyedhash" as const),
    ...area,
    parameters: record({ scheme: keyedHash }),
    unique: digest,
  }),
  record({
    type: fc.constant("symcipher" as const),
    ...area,
    parameters: record({ sym: symmetric }),
    unique: digest,
  }),
);

/** Of {@linkcode TPML_PCR_SELECTION}. */
export const selection: fc.Arbitrary<PcrSelection> = fc.array(
  record({ hash, pcrSelect: bytes(4) }),
  { maxLength: 16 },
);

/** Of {@linkcode TPMT_HA}. */
export const taggedDigest: fc.Arbitrary<TypeOf<typeof TPMT_HA>> = hash.chain(
  (hashAlg) =>
    record({
      hashAlg: fc.constant(hashAlg),
      digest: exactly(DIGEST_SIZES[hashAlg]),
    }),
);

const clockInfo = record({
  clock: long,
  resetCount: word,
  restartCount: word,
  safe: fc.boolean(),
});

const attest = {
  magic: fc.constant(TPM_GENERATED_VALUE),
  qualifiedSigner: name,
  extraData: name,
  clockInfo,
  firmwareVersion: long,
} as const;

/** Of {@linkcode TPMS_ATTEST}. */
export const attestation: fc.Arbitrary<TpmsAttest> = fc.oneof(
  record({
    type: fc.constant("attestQuote" as const),
    ...attest,
    pcrSelect: selection,
    pcrDigest: digest,
  }),
  record({
    type: fc.constant("attestCertify" as const),
    ...attest,
    objectName: name,
    qualifiedName: name,
  }),
  record({
    type: fc.constant("attestCreation" as const),
    ...attest,
    objectName: name,
    creationHash: digest,
  }),
  record({
    type: fc.constant("attestTime" as const),
    ...attest,
    time: record({ time: long, clockInfo }),
    firmwareVersionAttested: long,
  }),
  record({
    type: fc.constant("attestNv" as const),
    ...attest,
    indexName: name,
    offset: half,
    nvContents: bytes(2048),
  }),
);

/** Of {@linkcode TPMT_SIGNATURE}. */
export const signature: fc.Arbitrary<TpmtSignature> = fc.oneof(
  record({
    sigAlg: fc.constantFrom("rsassa", "rsapss"),
    hash,
    sig: bytes(512),
  }),
  record({
    sigAlg: fc.constantFrom("ecdsa", "ecdaa", "sm2", "ecschnorr"),
    hash,
    signatureR: bytes(80),
    signatureS: bytes(80),
  }),
  record({ sigAlg: fc.constant("null" as const) }),
);

/** Of {@linkcode TPMS_NV_PUBLIC}. */
export const nvPublic: fc.Arbitrary<NvPublic> = record({
  nvIndex: word,
  nameAlg: hash,
  attributes: flags(TPMA_NV, u32),
  authPolicy: digest,
  dataSize: half,
});

/** Of {@linkcode TPMS_CONTEXT}. */
export const context: fc.Arbitrary<TypeOf<typeof TPMS_CONTEXT>> = record({
  sequence: long,
  savedHandle: word,
  hierarchy: word,
  contextBlob: bytes(5120),
});

const sessionFlags = flags(TPMA_SESSION, u8);

/** Of {@linkcode TPMS_AUTH_COMMAND}. */
export const authCommand: fc.Arbitrary<AuthCommand> = record({
  sessionHandle: word,
  nonce: digest,
  sessionAttributes: sessionFlags,
  hmac: digest,
});

/** Of {@linkcode TPMS_AUTH_RESPONSE}. */
export const authResponse: fc.Arbitrary<AuthResponse> = record({
  nonce: digest,
  sessionAttributes: sessionFlags,
  hmac: digest,
});

/** Numbers that are not in `table` stay numbers. */
function orUnknown<N extends string>(
  named: fc.Arbitrary<N>,
  table: { readonly [name: string]: number },
): fc.Arbitrary<N | number> {
  const known = new Set(Object.values(table));
  return fc.oneof(named, half.filter((number) => !known.has(number)));
}

function listOf<T>(element: fc.Arbitrary<T>): fc.Arbitrary<readonly T[]> {
  return fc.array(element, { maxLength: 254 });
}

/** Of {@linkcode TPMS_CAPABILITY_DATA}. */
export const capabilityData: fc.Arbitrary<TypeOf<typeof TPMS_CAPABILITY_DATA>> =
  fc.oneof(
    record({
      capability: fc.constant("algs" as const),
      data: listOf(record({
        alg: orUnknown(algorithm, TPM_ALG_ID.numbers),
        algProperties: word,
      })),
    }),
    record({
      capability: fc.constantFrom(
        "handles",
        "commands",
        "ppCommands",
        "auditCommands",
      ),
      data: listOf(word),
    }),
    record({ capability: fc.constant("pcrs" as const), data: selection }),
    record({
      capability: fc.constant("tpmProperties" as const),
      data: listOf(record({ property: word, value: word })),
    }),
    record({
      capability: fc.constant("pcrProperties" as const),
      data: listOf(record({ tag: word, pcrSelect: bytes(4) })),
    }),
    record({
      capability: fc.constant("eccCurves" as const),
      data: listOf(orUnknown(curve, TPM_ECC_CURVE.numbers)),
    }),
  );
