/**
 * A TPM 2.0 in TypeScript: the structures and commands of the TCG's library
 * specification, declared once each, and a client that sends them as raw
 * command buffers. It needs no other library and knows nothing of Keylime.
 *
 * @module
 */

export {
  flushLeftovers,
  readHandles,
  readIdentity,
  type TpmIdentity,
} from "./capability.ts";
export type { Authorization, Session } from "./authorization.ts";
export { SessionError } from "./authorization.ts";
export { type ResendPolicy, Tpm, type TpmOptions } from "./client.ts";
export type { Bytes } from "./codec/buffer.ts";
export { type Codec, decode, encode, type TypeOf } from "./codec/codec.ts";
export { CodecError } from "./codec/error.ts";
export { constant, u32 } from "./codec/scalars.ts";
export { struct } from "./codec/struct.ts";
export type { Command, Executor, SomeCommand } from "./commands/command.ts";
export { Quote } from "./commands/attestation.ts";
export { ActivateCredential } from "./commands/object.ts";
export { digest, publicKeyOf } from "./crypto.ts";
export {
  type AuthorizedEntity,
  ENDORSEMENT,
  type Entity,
  OWNER,
  withPassword,
  withSession,
} from "./entity.ts";
export { TpmError } from "./error.ts";
export { readNvIndex } from "./nv.ts";
export {
  create,
  createPrimary,
  evict,
  load,
  makePersistent,
  nameOf,
  type PublicObject,
  readPublic,
  TransientObject,
  type WrappedObject,
} from "./object.ts";
export {
  type BankDigest,
  extendedFromReset,
  extendPcr,
  PcrBankError,
  readPcrs,
  resetPcr,
} from "./pcr.ts";
export {
  type OpenSession,
  policySecret,
  startSession,
} from "./session/start.ts";
export { DIGEST_SIZES, TPM_ALG_ID, type TpmHash } from "./spec/algorithms.ts";
export { TPM2B_ENCRYPTED_SECRET, TPM2B_ID_OBJECT } from "./spec/buffers.ts";
export { type ClockInfo, TPMS_ATTEST, type TpmsAttest } from "./spec/attest.ts";
export { formatHandle } from "./spec/handles.ts";
export { PCR_COUNT, pcrSelection } from "./spec/pcr.ts";
export { TPM2B_PUBLIC, TPMT_PUBLIC, type TpmtPublic } from "./spec/public.ts";
export { TPMT_SIGNATURE, type TpmtSignature } from "./spec/signature.ts";
export {
  akTemplate,
  EK_CERTIFICATE_INDEX,
  ekTemplate,
  type KeyType,
  type SigningScheme,
} from "./templates.ts";
export { parseTcti, type Tcti, TctiError } from "./transport/tcti.ts";
export { type Transport, TransportError } from "./transport/transport.ts";
