/**
 * The given requests that deliver a payload key, as tests read them.
 *
 * @module
 */

import { createPrivateKey, type KeyObject } from "node:crypto";

/** One tenant's and one verifier's request, and what comes of them. */
export interface KeyCase {
  readonly name: string;
  readonly agent_uuid: string;
  readonly u_hex: string;
  readonly v_hex: string;
  readonly k_hex: string;
  readonly payload_plain_b64: string | null;
  readonly ukey_request: {
    readonly encrypted_key: string;
    readonly auth_tag?: string;
    readonly payload?: string;
  };
  readonly vkey_request: { readonly encrypted_key: string };
  readonly verify: { readonly challenge: string; readonly hmac_hex: string };
  readonly expected: string;
}

interface KeyFile {
  readonly transport_private_key_pem: string;
  readonly cases: readonly KeyCase[];
}

const FILE: KeyFile = JSON.parse(
  await Deno.readTextFile(
    new URL("../fixtures/payload/uvk-a.json", import.meta.url),
  ),
);

/** All of them. */
export const KEY_CASES: readonly KeyCase[] = FILE.cases;

/** The agent's key, to which they are all encrypted. */
export const TRANSPORT_KEY: KeyObject = createPrivateKey(
  FILE.transport_private_key_pem,
);

/** The one called `name`. */
export function keyCase(name: string): KeyCase {
  const found = KEY_CASES.find((each) => each.name === name);
  if (found === undefined) throw new Error(`No case "${name}"`);
  return found;
}
