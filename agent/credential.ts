/**
 * The registrar's challenge: a credential that only the TPM with both keys can
 * open (contract section 3.5).
 *
 * @module
 */

import { createHmac } from "node:crypto";
import {
  ActivateCredential,
  type Bytes,
  type Entity,
  type Executor,
  withPassword,
} from "../tpm/mod.ts";
import type { EndorsementKey } from "./endorsement_key.ts";

const MAGIC = 0xbadc_c0de;
const VERSION = 1;
const HEADER_SIZE = 8;

/** The registrar's challenge is not a credential file of tpm2-tools. */
export class CredentialError extends Error {
  /** The class's name, also after bundling. */
  override readonly name = "CredentialError";
}

/** The two parts of a credential. */
export interface Credential {
  /** Body of the TPM2B_ID_OBJECT. */
  readonly credentialBlob: Bytes;
  /** Body of the TPM2B_ENCRYPTED_SECRET. */
  readonly secret: Bytes;
}

function sizedPart(bytes: Bytes, at: number, what: string): Bytes {
  const size = bytes.length < at + 2
    ? undefined
    : new DataView(bytes.buffer, bytes.byteOffset).getUint16(at);
  if (size === undefined || bytes.length < at + 2 + size || size === 0) {
    throw new CredentialError(`The credential's ${what} is cut short or empty`);
  }
  return bytes.slice(at + 2, at + 2 + size);
}

/** Takes the credential in `base64` apart. Throws CredentialError. */
export function parseCredential(base64: string): Credential {
  let bytes: Bytes;
  try {
    bytes = Uint8Array.fromBase64(base64);
  } catch (error) {
    throw new CredentialError("The credential is not Base64", { cause: error });
  }
  const view = new DataView(bytes.buffer);
  if (
    bytes.length < HEADER_SIZE || view.getUint32(0) !== MAGIC ||
    view.getUint32(4) !== VERSION
  ) {
    throw new CredentialError(
      "The credential does not start with 0xBADCC0DE and version 1",
    );
  }
  const credentialBlob = sizedPart(bytes, HEADER_SIZE, "identity object");
  const secretAt = HEADER_SIZE + 2 + credentialBlob.length;
  const secret = sizedPart(bytes, secretAt, "encrypted secret");
  if (secretAt + 2 + secret.length !== bytes.length) {
    throw new CredentialError("The credential has bytes after its end");
  }
  return { credentialBlob, secret };
}

/**
 * The proof that the TPM opened `credential`: `auth_tag`, in hexadecimal. The
 * opened secret stays hidden on the way from the TPM.
 *
 * @throws TpmError if the credential was made for another TPM or key
 */
export async function activate(
  tpm: Executor,
  keys: { readonly ek: EndorsementKey; readonly ak: Entity },
  { credential, uuid }: {
    readonly credential: Credential;
    readonly uuid: string;
  },
): Promise<string> {
  const { certInfo } = await keys.ek.use(
    tpm,
    (ek) =>
      tpm.execute(ActivateCredential, {
        activateHandle: withPassword(keys.ak),
        keyHandle: ek,
        ...credential,
      }),
    { encryptResponse: true },
  );
  return authTag(certInfo, uuid);
}

/** The registrar keys the HMAC with the secret's Base64 text, not its bytes. */
export function authTag(certInfo: Bytes, uuid: string): string {
  return createHmac("sha384", certInfo.toBase64()).update(uuid).digest("hex");
}
