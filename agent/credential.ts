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
  constant,
  decode,
  type Entity,
  type Executor,
  struct,
  TPM2B_ENCRYPTED_SECRET,
  TPM2B_ID_OBJECT,
  u32,
  withPassword,
} from "../tpm/mod.ts";
import type { EndorsementKey } from "./endorsement_key.ts";

/** A credential file of tpm2-tools. */
const CREDENTIAL = struct("credential", {
  magic: constant(u32, 0xbadc_c0de),
  version: constant(u32, 1),
  credentialBlob: TPM2B_ID_OBJECT,
  secret: TPM2B_ENCRYPTED_SECRET,
});

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

/** Takes the credential in `base64` apart. Throws CredentialError. */
export function parseCredential(base64: string): Credential {
  try {
    const { credentialBlob, secret } = decode(
      CREDENTIAL,
      Uint8Array.fromBase64(base64),
    );
    if (credentialBlob.length === 0 || secret.length === 0) {
      throw new RangeError("a part of it is empty");
    }
    return { credentialBlob, secret };
  } catch (error) {
    throw new CredentialError("The credential is malformed", { cause: error });
  }
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
