/**
 * Signatures of TPMs, checked by the platform.
 *
 * @module
 */

import assert from "node:assert/strict";
import { constants, type KeyObject, verify } from "node:crypto";
import type { TpmtSignature } from "../../tpm/spec/signature.ts";

/** Whether `by` is the signature of the holder of `key` over `attest`. */
export function isSigned(
  attest: Uint8Array,
  key: KeyObject,
  by: TpmtSignature,
): boolean {
  switch (by.sigAlg) {
    case "rsassa":
    case "rsapss":
      return verify(by.hash, attest, {
        key,
        padding: by.sigAlg === "rsassa"
          ? constants.RSA_PKCS1_PADDING
          : constants.RSA_PKCS1_PSS_PADDING,
      }, by.sig);
    case "ecdsa": {
      const { x = "" } = key.export({ format: "jwk" });
      const size = Uint8Array.fromBase64(x, { alphabet: "base64url" }).length;
      const padded = [by.signatureR, by.signatureS].flatMap((part) => [
        ...new Uint8Array(size - part.length),
        ...part,
      ]);
      return verify(
        by.hash,
        attest,
        { key, dsaEncoding: "ieee-p1363" },
        Uint8Array.from(padded),
      );
    }
    default:
      return assert.fail(`a signature by ${by.sigAlg}`);
  }
}
