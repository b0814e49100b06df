/**
 * The routing rules of upstream's API, declared: a scope is a path prefix with
 * its registered routes and with its words for everything else. The answers to
 * unknown paths and to wrong methods follow from that (contract section 5.2).
 *
 * @module
 */

import type { Context, Hono } from "hono";
import type { HttpBindings } from "@hono/node-server";
import { ApiError, WrongMethodError } from "./errors.ts";

/** Hono's environment here: node's request and response, absent in `app.request()`. */
export interface ApiEnvironment {
  /** What the HTTP server passes beside the request. */
  Bindings: Partial<HttpBindings>;
}

/** One request, as the routes see it. */
export type ApiContext = Context<ApiEnvironment>;

/** Methods that upstream registers routes for. */
export type Method = "GET" | "POST";

/** A path that answers one method; any other method is an empty 405. */
export interface Route {
  /** The method it answers. */
  readonly method: Method;
  /** Path below its scope, from the slash on; compared exactly. */
  readonly path: string;
  /** Answers, or throws what {@linkcode answerTo} can tell the client. */
  readonly answer: (context: ApiContext) => Response | Promise<Response>;
}

/** A path prefix and everything that is answered below it. */
export interface Scope {
  /** The prefix, from its slash on; empty for the scope around the others. */
  readonly path: string;
  /** The paths that exist. */
  readonly routes: readonly Route[];
  /** Status text of the 400 for an unknown path, by method; other methods are a 405. */
  readonly unknown: Readonly<Partial<Record<Method, string>>>;
  /** Status text of that 405. */
  readonly unsupported: string;
}

/** Registers `scope` below `prefix`. Of two scopes that match, the earlier answers. */
export function mount(
  app: Hono<ApiEnvironment>,
  prefix: string,
  scope: Scope,
): void {
  const base = prefix + scope.path;
  for (const { method, path, answer } of scope.routes) {
    app.all(base + path, (context) => {
      // Hono runs HEAD as GET; upstream knows only what is registered.
      if (context.req.method !== method) {
        throw new WrongMethodError(context.req.method, method);
      }
      return answer(context);
    });
  }
  app.all(`${base}/*`, (context) => refuseUnknown(scope, context.req.method));
}

/**
 * Refuses `method` on a path that `scope` does not know, in its words.
 *
 * @throws {ApiError} always
 */
export function refuseUnknown(scope: Scope, method: string): never {
  const status = new Map(Object.entries(scope.unknown)).get(method);
  if (status !== undefined) throw new ApiError(400, status);
  throw new ApiError(405, scope.unsupported, {
    allow: Object.keys(scope.unknown).join(", "),
  });
}
