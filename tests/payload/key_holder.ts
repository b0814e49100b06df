/**
 * A process that holds what an agent holds of a payload key, for a test that
 * looks into its memory. Reads requests of the tenant and the verifier, one a
 * line, and says after each whether it has the key.
 *
 * @module
 */

import { createInterface } from "node:readline";
import { createPrivateKey } from "node:crypto";
import process from "node:process";
import { KeyShares } from "../../payload/key_shares.ts";

let shares: KeyShares | undefined;
for await (const line of createInterface({ input: process.stdin })) {
  const { private_key, uuid, encrypted_key, auth_tag } = JSON.parse(line);
  shares ??= new KeyShares(createPrivateKey(private_key), uuid);
  const share = shares.open(Uint8Array.fromBase64(encrypted_key));
  const combined = auth_tag === undefined
    ? shares.addVerifierShare(share)
    : shares.addTenantShare({ share, authTag: Uint8Array.fromHex(auth_tag) });
  process.stdout.write(combined === undefined ? "waiting\n" : "combined\n");
}
