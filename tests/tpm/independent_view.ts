/**
 * Decoded responses in the notation of the recordings' `decoded` fields, which
 * an independent program wrote: its reading and ours must agree.
 *
 * @module
 */

import type { Bytes } from "../../tpm/codec/buffer.ts";
import { type Codec, encode, type TypeOf } from "../../tpm/codec/codec.ts";
import { u16, u32 } from "../../tpm/codec/scalars.ts";
import {
  Certify,
  CertifyCreation,
  GetTime,
  Hash,
  Quote,
} from "../../tpm/commands/attestation.ts";
import { GetCapability, GetRandom } from "../../tpm/commands/capability.ts";
import type { Command } from "../../tpm/commands/command.ts";
import { ContextSave } from "../../tpm/commands/context.ts";
import { PcrEvent, PcrRead } from "../../tpm/commands/integrity.ts";
import { NvRead, NvReadPublic } from "../../tpm/commands/nv.ts";
import {
  ActivateCredential,
  Create,
  CreateLoaded,
  CreatePrimary,
  Load,
  LoadExternal,
  MakeCredential,
  ReadPublic,
} from "../../tpm/commands/object.ts";
import {
  PolicyGetDigest,
  PolicySecret,
  StartAuthSession,
} from "../../tpm/commands/session.ts";
import { GetTestResult, ReadClock } from "../../tpm/commands/startup.ts";
import { TPM_ALG_ID, TPM_ECC_CURVE } from "../../tpm/spec/algorithms.ts";
import { TPMS_CREATION_DATA } from "../../tpm/spec/attest.ts";
import {
  TPM_CAP,
  type TPMS_CAPABILITY_DATA,
} from "../../tpm/spec/capability.ts";
import { TPMA_NV } from "../../tpm/spec/nv.ts";
import { type PcrSelection, selectedPcrs } from "../../tpm/spec/pcr.ts";
import { TPMA_OBJECT, type TpmtPublic } from "../../tpm/spec/public.ts";
import { TPMT_SIGNATURE } from "../../tpm/spec/signature.ts";
import { TPM_ST, type TPMT_TK_CREATION } from "../../tpm/spec/ticket.ts";
import type { Fields } from "./transcript.ts";

function hex<T>(codec: Codec<T>, value: T): string {
  return encode(codec, value).toHex();
}

function banks(selection: PcrSelection): Fields[] {
  return selection.map((bank) => ({
    hash: bank.hash,
    size_of_select: bank.pcrSelect.length,
    pcrs: selectedPcrs([bank], bank.hash),
  }));
}

function scheme(value: { readonly scheme: string }): Fields {
  const hash = "hashAlg" in value ? { scheme_hash: value.hashAlg } : {};
  return { scheme: value.scheme, ...hash };
}

function publicView(area: TpmtPublic): Fields {
  const common = {
    type: area.type,
    name_alg: area.nameAlg,
    attributes: hex(TPMA_OBJECT, area.objectAttributes),
    auth_policy_hex: area.authPolicy.toHex(),
  };
  if (area.type !== "rsa" && area.type !== "ecc") return common;
  const { symmetric } = area.parameters;
  const cipher = symmetric.algorithm === "null" ? { symmetric: "null" } : {
    symmetric: symmetric.algorithm,
    sym_bits: symmetric.keyBits,
    sym_mode: symmetric.mode,
  };
  const key = area.type === "rsa"
    ? {
      key_bits: area.parameters.keyBits,
      exponent: area.parameters.exponent,
      modulus_hex: area.unique.toHex(),
    }
    : {
      curve: TPM_ECC_CURVE.numbers[area.parameters.curveID],
      kdf: area.parameters.kdf.scheme,
      x_hex: area.unique.x.toHex(),
      y_hex: area.unique.y.toHex(),
    };
  return { ...common, ...cipher, ...scheme(area.parameters.scheme), ...key };
}

type CapabilityData = TypeOf<typeof TPMS_CAPABILITY_DATA>;

function capabilityView(value: CapabilityData): Fields {
  const words = (data: readonly number[]): string[] =>
    data.map((word) => hex(u32, word));
  switch (value.capability) {
    case "algs":
      return {
        algorithms: value.data.map(({ alg, algProperties }) => [
          hex(u16, typeof alg === "number" ? alg : TPM_ALG_ID.numbers[alg]),
          hex(u32, algProperties),
        ]),
      };
    case "handles":
      return { handles: words(value.data) };
    case "commands":
    case "ppCommands":
    case "auditCommands":
      return { commands: words(value.data) };
    case "pcrs":
      return { pcr_banks: banks(value.data) };
    case "tpmProperties":
      return {
        properties: value.data.map((entry) =>
          words([entry.property, entry.value])
        ),
      };
    case "pcrProperties":
      return {
        pcr_properties: value.data.map(({ tag, pcrSelect }) => [
          hex(u32, tag),
          pcrSelect.toHex(),
        ]),
      };
    case "eccCurves":
      return {
        ecc_curves: value.data.map((curve) =>
          typeof curve === "number" ? curve : TPM_ECC_CURVE.numbers[curve]
        ),
      };
  }
}

type View = readonly [number, (output: unknown) => Fields];

function view<In, Out>(
  command: Command<In, Out>,
  fields: (output: Out) => Fields,
): View {
  return [command.code, (output) => fields(output as Out)];
}

/** A ticket without the size of its digest. */
function ticketView(ticket: TypeOf<typeof TPMT_TK_CREATION>): string {
  return hex(TPM_ST, ticket.tag) + hex(u32, ticket.hierarchy) +
    ticket.digest.toHex();
}

/** What tells how an object was made, in three responses. */
function creation(output: {
  readonly creationData: TypeOf<typeof TPMS_CREATION_DATA>;
  readonly creationHash: Bytes;
  readonly creationTicket: TypeOf<typeof TPMT_TK_CREATION>;
}): Fields {
  return {
    creation_data_hex: hex(TPMS_CREATION_DATA, output.creationData),
    creation_hash_hex: output.creationHash.toHex(),
    ticket_hex: ticketView(output.creationTicket),
  };
}

function attestation(
  attest: Bytes,
  signature: TypeOf<typeof TPMT_SIGNATURE>,
): Fields {
  return {
    attest_hex: attest.toHex(),
    signature_hex: hex(TPMT_SIGNATURE, signature),
  };
}

const OF_OBJECTS: readonly View[] = [
  view(CreatePrimary, (out) => ({
    ...creation(out),
    public: publicView(out.outPublic),
    name_hex: out.name.toHex(),
  })),
  view(Create, (out) => ({
    ...creation(out),
    private_hex: out.outPrivate.toHex(),
    public: publicView(out.outPublic),
  })),
  view(CreateLoaded, (out) => ({
    private_hex: out.outPrivate.toHex(),
    public: publicView(out.outPublic),
    name_hex: out.name.toHex(),
  })),
  view(Load, (out) => ({ name_hex: out.name.toHex() })),
  view(LoadExternal, (out) => ({ name_hex: out.name.toHex() })),
  view(ReadPublic, (out) => ({
    public: publicView(out.outPublic),
    name_hex: out.name.toHex(),
    qualified_name_hex: out.qualifiedName.toHex(),
  })),
  view(ActivateCredential, (out) => ({ secret_hex: out.certInfo.toHex() })),
  view(MakeCredential, (out) => ({
    credential_blob_hex: out.credentialBlob.toHex(),
    secret_hex: out.secret.toHex(),
  })),
  view(ContextSave, ({ context }) => ({
    context: {
      sequence: Number(context.sequence),
      saved_handle: hex(u32, context.savedHandle),
      hierarchy: hex(u32, context.hierarchy),
      blob_len: context.contextBlob.length,
    },
  })),
];

const OF_OTHERS: readonly View[] = [
  view(Quote, (out) => attestation(out.quoted, out.signature)),
  view(Certify, (out) => attestation(out.certifyInfo, out.signature)),
  view(CertifyCreation, (out) => attestation(out.certifyInfo, out.signature)),
  view(GetTime, (out) => attestation(out.timeInfo, out.signature)),
  view(Hash, (out) => ({ digest_hex: out.outHash.toHex() })),
  view(GetCapability, (out) => ({
    more_data: Number(out.moreData),
    capability: TPM_CAP.numbers[out.capabilityData.capability],
    ...capabilityView(out.capabilityData),
  })),
  view(GetRandom, (out) => ({ random_hex: out.randomBytes.toHex() })),
  view(GetTestResult, (out) => ({
    out_data_hex: out.outData.toHex(),
    test_result: hex(u32, out.testResult),
  })),
  view(ReadClock, ({ currentTime: { time, clockInfo } }) => ({
    time: Number(time),
    clock: Number(clockInfo.clock),
    reset_count: clockInfo.resetCount,
    restart_count: clockInfo.restartCount,
    safe: Number(clockInfo.safe),
  })),
  view(NvReadPublic, ({ nvPublic, nvName }) => ({
    nv: {
      index: hex(u32, nvPublic.nvIndex),
      name_alg: nvPublic.nameAlg,
      attributes: hex(TPMA_NV, nvPublic.attributes),
      policy_hex: nvPublic.authPolicy.toHex(),
      data_size: nvPublic.dataSize,
    },
    name_hex: nvName.toHex(),
  })),
  view(NvRead, (out) => ({ data_hex: out.data.toHex() })),
  view(PcrEvent, (out) => ({
    digests: out.digests.map((one) => [one.hashAlg, one.digest.toHex()]),
  })),
  view(PcrRead, (out) => ({
    update_counter: out.pcrUpdateCounter,
    selection: banks(out.pcrSelectionOut),
    digests_hex: out.pcrValues.map((value) => value.toHex()),
  })),
  view(StartAuthSession, (out) => ({ nonce_tpm_hex: out.nonceTPM.toHex() })),
  view(PolicySecret, (out) => ({
    timeout_hex: out.timeout.toHex(),
    ticket_hex: ticketView(out.policyTicket),
  })),
  view(PolicyGetDigest, (out) => ({
    policy_digest_hex: out.policyDigest.toHex(),
  })),
];

const VIEWS = new Map([...OF_OBJECTS, ...OF_OTHERS]);

/** The fields of the response of the command with that code. */
export function outputView(code: number, output: unknown): Fields {
  return VIEWS.get(code)?.(output) ?? {};
}
