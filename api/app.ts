/**
 * The agent's HTTP API, versions 2.1 to 2.6, as a function from request to
 * response (contract section 5). It opens no socket: {@linkcode startServer}
 * does, and decides who may ask.
 *
 * @module
 */

import { Hono } from "hono";
import type { Attester } from "../agent/attester.ts";
import { describe, type Log, quoted } from "../log/log.ts";
import type { RevocationReceiver } from "../revocation/revocation.ts";
import type { KeyReceiver } from "../payload/service.ts";
import { answerTo, ApiError } from "./errors.ts";
import { agentScope } from "./routes/agent.ts";
import { keysScope } from "./routes/keys.ts";
import { notificationsScope } from "./routes/notifications.ts";
import { quotesScope } from "./routes/quotes.ts";
import { serverScope, VERSION_SCOPE } from "./routes/root.ts";
import { type ApiContext, type ApiEnvironment, mount } from "./scope.ts";
import type { ApiVersion } from "../config/api_versions.ts";
import { reaches } from "./versions.ts";

/** What the API needs. */
export interface AppOptions {
  /** The agent that answers. */
  readonly attester: Attester;
  /** What receives payload keys. */
  readonly keys: KeyReceiver;
  /** Who takes revocations. */
  readonly revocations: RevocationReceiver;
  /** Versions to serve: at least one, oldest first. */
  readonly apiVersions: readonly ApiVersion[];
  /** Each request goes here at debug, refusals at warn, failures at error. */
  readonly log: Log;
}

/**
 * The API of `attester`.
 *
 * @throws {RangeError} if `apiVersions` is empty
 */
export function createApp(
  { attester, keys, revocations, apiVersions, log }: AppOptions,
): Hono<ApiEnvironment> {
  if (apiVersions.length === 0) {
    throw new RangeError("No API version to serve: expected at least one");
  }
  const app = new Hono<ApiEnvironment>({ getPath: decodedPath });
  app.use(async (context, next) => {
    const begin = performance.now();
    await next();
    const ms = Math.round(performance.now() - begin);
    log.debug(`${titleOf(context)}: ${context.res.status} in ${ms} ms`);
  });
  for (const version of apiVersions) {
    const prefix = `/v${version}`;
    mount(app, prefix, keysScope(attester, keys));
    mount(app, prefix, notificationsScope(revocations));
    mount(app, prefix, quotesScope(attester, version, log));
    if (reaches(version, "2.2")) {
      mount(app, prefix, agentScope(attester, version));
    }
    mount(app, prefix, VERSION_SCOPE);
  }
  app.all("*", refuseOtherVersion);
  mount(app, "", serverScope(apiVersions));
  app.onError((error, context) => {
    const response = answerTo(error);
    if (response.status >= 500) {
      log.error(`${titleOf(context)} failed: ${describe(error)}`);
    } else {
      log.warn(`${titleOf(context)} refused: ${quoted(error.message)}`);
    }
    return response;
  });
  return app;
}

/**
 * The request's path as upstream compares it: escaped ASCII decoded, except
 * `%`, `/` and `+`, and nothing else normalised. From node's request when
 * there is one, for the URL parser has already resolved `..` away.
 */
function decodedPath(
  request: Request,
  options?: { readonly env?: ApiEnvironment["Bindings"] },
): string {
  const target = options?.env?.incoming?.url;
  const path = target?.startsWith("/")
    ? target.replace(/[?#].*$/s, "")
    : new URL(request.url).pathname;
  return path.replace(/%(?!25|2f|2b)[0-7][0-9a-f]/gi, decodeURIComponent);
}

/**
 * Refuses a path that begins like a version that is not served. The verifier
 * looks for these very words and then negotiates anew (contract section 11).
 */
async function refuseOtherVersion(
  context: ApiContext,
  next: () => Promise<void>,
): Promise<void> {
  const version = /^\/v[0-9]{1,10}\.[0-9]{1,10}/.exec(context.req.path);
  if (version !== null) {
    throw new ApiError(
      400,
      `API version not supported: ${version[0].slice(1)}`,
    );
  }
  await next();
}

/** Method, path and peer for the log; never the query, which holds the nonce. */
function titleOf(context: ApiContext): string {
  const peer = context.env?.incoming?.socket.remoteAddress ?? "unknown peer";
  return `${context.req.method} ${quoted(context.req.path)} from ${peer}`;
}
