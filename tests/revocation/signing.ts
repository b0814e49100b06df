/**
 * A verifier's revocation key, and messages signed with it.
 *
 * @module
 */

import { constants, createPrivateKey, sign } from "node:crypto";
import type { Notification } from "../../revocation/signature.ts";

const FIXTURES = new URL("../fixtures/revocation/", import.meta.url);

/** Test data made by another implementation. */
export const GIVEN: {
  readonly certificate_pem: string;
  readonly ec_certificate_pem: string;
  readonly other_certificate_pem: string;
  readonly private_key_pem: string;
  readonly cases: readonly {
    readonly name: string;
    readonly body: { readonly msg: string; readonly signature: string | null };
    readonly expected: string;
  }[];
} = JSON.parse(await readFixture("messages.json"));

/** The text of a file in `tests/fixtures/revocation`. */
export async function readFixture(name: string): Promise<string> {
  return await Deno.readTextFile(new URL(name, FIXTURES));
}

/** `msg` as the verifier sends it, signed with the key of the given certificate. */
export function signed(msg: string): Notification {
  const signature = sign("sha256", new TextEncoder().encode(msg), {
    key: createPrivateKey(GIVEN.private_key_pem),
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: 222,
  });
  return { msg, signature: signature.toString("base64") };
}

/** A signed message of the verifier about event number `n`. */
export function revocation(n = 0): Notification {
  return signed(JSON.stringify({
    type: "revocation",
    ip: "127.0.0.1",
    agent_id: "d432fbb3-d2f1-4a97-9ef7-75bd81c00000",
    event_id: `test.event.${n}`,
  }));
}
