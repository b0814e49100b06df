/**
 * A secret that only the holder of a decryption key can learn. TPM 2.0 Part 1,
 * "Secret Sharing": used for the salt of a session and the seed of a
 * credential.
 *
 * @module
 */

import type { Bytes } from "../codec/buffer.ts";
import { encode } from "../codec/codec.ts";
import { agreeOnSecret, encryptOaep, randomBytes } from "../crypto.ts";
import { DIGEST_SIZES, type TpmHash } from "../spec/algorithms.ts";
import { TPMS_ECC_POINT, type TpmtPublic } from "../spec/public.ts";
import { kdfe, labelBytes } from "./kdf.ts";

/** A secret and what carries it to the TPM. */
export interface SharedSecret {
  /** The secret. */
  readonly secret: Bytes;
  /** The body of a TPM2B_ENCRYPTED_SECRET. */
  readonly encrypted: Bytes;
}

/** The nameAlg of a key that can share a secret. */
function nameAlgOf(area: TpmtPublic): TpmHash {
  if (area.nameAlg === "null") {
    throw new RangeError("A key without a nameAlg can share no secret");
  }
  return area.nameAlg;
}

/** A key for OAEP has a hash of its own; others pad with their nameAlg. */
function oaepHashOf(area: TpmtPublic, nameAlg: TpmHash): TpmHash {
  return area.type === "rsa" && area.parameters.scheme.scheme === "oaep"
    ? area.parameters.scheme.hashAlg
    : nameAlg;
}

/**
 * A fresh secret for the TPM that holds the private part of `area`.
 *
 * @param label the use: `SECRET` for a session, `IDENTITY` for a credential
 */
export function shareSecret(area: TpmtPublic, label: string): SharedSecret {
  const hash = nameAlgOf(area);
  if (area.type === "ecc") {
    const { ephemeral, z } = agreeOnSecret(area);
    const secret = kdfe(z, {
      hash,
      label,
      contextU: ephemeral.x,
      contextV: area.unique.x,
      bits: DIGEST_SIZES[hash] * 8,
    });
    return { secret, encrypted: encode(TPMS_ECC_POINT, ephemeral) };
  }
  const secret = randomBytes(DIGEST_SIZES[hash]);
  const encrypted = encryptOaep(area, secret, {
    hash: oaepHashOf(area, hash),
    label: labelBytes(label),
  });
  return { secret, encrypted };
}
