/**
 * The scope `/notifications` (contract section 5.9).
 *
 * @module
 */

import type { Scope } from "../scope.ts";

/** The scope `/notifications`, the same in every version. */
export function notificationsScope(): Scope {
  return {
    path: "/notifications",
    routes: [],
    unknown: {
      POST:
        "URI not supported, only /revocation is supported for POST in /notifications/ interface",
    },
    unsupported: "Method is not supported in /notifications/ interface",
  };
}
