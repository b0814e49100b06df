/**
 * The scope `/notifications` (contract section 5.9).
 *
 * @module
 */

import type { RevocationReceiver } from "../../revocation/revocation.ts";
import { success } from "../envelope.ts";
import { ApiError } from "../errors.ts";
import { jsonFields, textIn } from "../json_body.ts";
import type { ApiContext, Scope } from "../scope.ts";

/** The scope `/notifications`, the same in every version. */
export function notificationsScope(revocations: RevocationReceiver): Scope {
  /** Success says "taken", not "genuine": the signature is the log's affair. */
  async function revocation(context: ApiContext): Promise<Response> {
    const fields = await jsonFields(context);
    const isTaken = revocations.submit({
      msg: textIn(fields, "msg"),
      signature: textIn(fields, "signature"),
    });
    if (!isTaken) throw new ApiError(500, "Unable to take a revocation now");
    return success(null);
  }

  return {
    path: "/notifications",
    routes: [{ method: "POST", path: "/revocation", answer: revocation }],
    unknown: {
      POST:
        "URI not supported, only /revocation is supported for POST in /notifications/ interface",
    },
    unsupported: "Method is not supported in /notifications/ interface",
  };
}
