import {
  type Executor,
  readPcrs,
  type TpmError,
  type TpmHash,
} from "../tpm/mod.ts";

/**
 * Has the TPM show that it still works, with what every quote begins with: one
 * TPM2_PCR_Read, which needs no key and changes nothing. A TPM in failure mode
 * refuses it, while TPM2_GetCapability and TPM2_GetTestResult would still be
 * answered. TPM 2.0 Part 1, "Failure Mode".
 *
 * @throws TpmError or TransportError
 */
export async function askForSignOfLife(
  tpm: Executor,
  hash: TpmHash,
): Promise<void> {
  await readPcrs(tpm, hash, [0]);
}

/**
 * Whether an answer, given its `refusal` if it was one, comes from a TPM that
 * may attest again. One that is locked out or busy may; one in failure mode,
 * or that was reset and not started, will not; and a refusal with a layer's
 * number is not the TPM's, but the kernel's.
 */
export function isSignOfLife(refusal: TpmError | undefined): boolean {
  if (refusal === undefined) return true;
  const isDead = refusal.is("TPM_RC_FAILURE") ||
    refusal.is("TPM_RC_INITIALIZE");
  return !isDead && refusal.code.raw <= 0xfff;
}
