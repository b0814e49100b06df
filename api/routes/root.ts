/**
 * The scopes around the others: the whole server with `/version`, and the root
 * of one API version (contract sections 5.2 and 5.3).
 *
 * @module
 */

import { success } from "../envelope.ts";
import type { Scope } from "../scope.ts";
import type { ApiVersion } from "../../config/api_versions.ts";

/** The scope of all paths, for a server of `versions`, oldest first. */
export function serverScope(versions: readonly ApiVersion[]): Scope {
  const interfaces = versions.map((version) => `/${version}`).join(", ");
  const unknown = `Not Implemented: Use ${interfaces} or /version interfaces`;
  return {
    path: "",
    routes: [{
      method: "GET",
      path: "/version",
      answer: () =>
        success({
          supported_version: versions.at(-1),
          supported_versions: versions,
        }),
    }],
    unknown: { GET: unknown, POST: unknown },
    unsupported: "Method is not supported",
  };
}

/** What is below `/v<version>` and in none of its interfaces. */
export const VERSION_SCOPE: Scope = {
  path: "",
  routes: [],
  unknown: {
    GET: "Not Implemented: Use /agent, /keys, or /quotes interfaces",
    POST: "Not Implemented: Use /keys or /notifications interfaces",
  },
  unsupported: "Method is not supported",
};
