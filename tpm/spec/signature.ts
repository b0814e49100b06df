import type { TypeOf } from "../codec/codec.ts";
import { tagged } from "../codec/struct.ts";
import { TPM_ALG_ID, TPMI_ALG_HASH } from "./algorithms.ts";
import { TPM2B_ECC_PARAMETER, TPM2B_PUBLIC_KEY_RSA } from "./buffers.ts";

const RSA_SIGNATURE = {
  hash: TPMI_ALG_HASH,
  sig: TPM2B_PUBLIC_KEY_RSA,
} as const;
const ECC_SIGNATURE = {
  hash: TPMI_ALG_HASH,
  signatureR: TPM2B_ECC_PARAMETER,
  signatureS: TPM2B_ECC_PARAMETER,
} as const;

/** A signature and the scheme that made it. TPM 2.0 Part 2, TPMT_SIGNATURE. */
export const TPMT_SIGNATURE = tagged("TPMT_SIGNATURE", {
  fields: { sigAlg: TPM_ALG_ID },
  on: "sigAlg",
  arms: {
    rsassa: RSA_SIGNATURE,
    rsapss: RSA_SIGNATURE,
    ecdsa: ECC_SIGNATURE,
    ecdaa: ECC_SIGNATURE,
    sm2: ECC_SIGNATURE,
    ecschnorr: ECC_SIGNATURE,
    null: {},
  },
});

/** The value of a {@linkcode TPMT_SIGNATURE}. */
export type TpmtSignature = TypeOf<typeof TPMT_SIGNATURE>;
