/**
 * What Keylime's control plane tells of an agent, by Keylime's own names.
 *
 * @module
 */

/** An agent by the verifier's account: the fields that tests look at. */
export interface VerifierAgent {
  /** As in Keylime's `states.py`: 3 is "Get Quote", 9 "Invalid Quote". */
  readonly operational_state: number | null;
  /** What that state, or a push agent's history, amounts to. */
  readonly attestation_status: "PENDING" | "PASS" | "FAIL" | "TIMEOUT";
  /** How often it was attested since it was added. */
  readonly attestation_count: number;
  /** What went wrong last, such as "measured_boot.invalid_pcr_4". */
  readonly last_event_id: string | null;
  /** How bad that was: an index into `severity_labels`. */
  readonly severity_level: number | null;
  /** Bank of its last quote. */
  readonly hash_alg: string;
  /** Kind of its endorsement key. */
  readonly enc_alg: string;
  /** Scheme of its attestation key. */
  readonly sign_alg: string;
  /** The others. */
  readonly [field: string]: unknown;
}

/** An agent by the registrar's account. */
export interface RegistrarAgent {
  /** Attestation key: TPM2B_PUBLIC, in Base64. */
  readonly aik_tpm: string;
  /** Endorsement key: TPM2B_PUBLIC, in Base64. */
  readonly ek_tpm: string;
  /** Endorsement key certificate: DER, in Base64. */
  readonly ekcert: string | null;
  /** Where it says it can be reached. */
  readonly ip: string | null;
  /** Port that goes with `ip`. */
  readonly port: number | null;
  /** Its server certificate: PEM. */
  readonly mtls_cert: string | null;
  /** How often it registered. */
  readonly regcount: number;
  /** The others. */
  readonly [field: string]: unknown;
}
