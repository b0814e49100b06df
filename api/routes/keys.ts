/**
 * The scope `/keys` (contract section 5.8).
 *
 * @module
 */

import type { Attester } from "../../agent/attester.ts";
import { success } from "../envelope.ts";
import type { Scope } from "../scope.ts";

/** The scope `/keys`, the same in every version. */
export function keysScope(attester: Attester): Scope {
  return {
    path: "/keys",
    routes: [{
      method: "GET",
      path: "/pubkey",
      answer: () => success({ pubkey: attester.payloadPublicKey }),
    }],
    unknown: {
      GET:
        "URI not supported, only /pubkey and /verify are supported for GET in /keys interface",
      POST:
        "URI not supported, only /ukey and /vkey are supported for POST in /keys interface",
    },
    unsupported: "Method is not supported in /keys interface",
  };
}
