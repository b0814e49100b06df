/**
 * Receivers of payload keys for tests of the API.
 *
 * @module
 */

import type { TenantShare } from "../../../payload/key_shares.ts";
import { KeyShares } from "../../../payload/key_shares.ts";
import type { Secret } from "../../../payload/secret.ts";
import type { KeyReceiver } from "../../../payload/service.ts";
import { keyCase, TRANSPORT_KEY } from "../../payload/key_vectors.ts";

/** A receiver that keeps what it gets. */
export interface RecordingKeys extends KeyReceiver {
  readonly tenantShares: TenantShare[];
  readonly verifierShares: Secret[];
}

/** A receiver with the key of the given requests; `proof` is its key's proof. */
export function recordingKeys(proof?: string): RecordingKeys {
  const shares = new KeyShares(
    TRANSPORT_KEY,
    keyCase("aes256-text").agent_uuid,
  );
  const tenantShares: TenantShare[] = [];
  const verifierShares: Secret[] = [];
  return {
    tenantShares,
    verifierShares,
    openShare: (encrypted) => shares.open(encrypted),
    acceptTenantShare: (share) => void tenantShares.push(share),
    acceptVerifierShare: (share) => void verifierShares.push(share),
    prove: (challenge) => proof && `${proof} ${challenge}`,
  };
}

/** For tests in which no key comes. */
export const NO_KEYS: KeyReceiver = recordingKeys();
