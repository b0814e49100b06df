/**
 * The scope `/agent`, since API 2.2 (contract section 5.5).
 *
 * @module
 */

import type { Attester } from "../../agent/attester.ts";
import { success } from "../envelope.ts";
import type { Scope } from "../scope.ts";
import type { ApiVersion } from "../../config/api_versions.ts";
import { encryptionName } from "../versions.ts";

/** The scope `/agent` of `version`. */
export function agentScope(attester: Attester, version: ApiVersion): Scope {
  const { uuid, algorithms, akHandle } = attester;
  return {
    path: "/agent",
    routes: [{
      method: "GET",
      path: "/info",
      answer: () =>
        success({
          agent_uuid: uuid,
          tpm_hash_alg: algorithms.hash,
          tpm_enc_alg: encryptionName(algorithms.encryption, version),
          tpm_sign_alg: algorithms.signing,
          ak_handle: akHandle,
        }),
    }],
    unknown: {
      GET:
        "URI not supported, only /info is supported for GET in /agent interface",
    },
    unsupported: "Method is not supported in /agent interface",
  };
}
