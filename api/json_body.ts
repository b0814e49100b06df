/**
 * JSON request bodies, turned into their fields (contract section 5.1). What
 * is wrong with one is always a 400, also its type or its size.
 *
 * @module
 */

import { ApiError } from "./errors.ts";
import { BODY_LIMIT } from "./request_body.ts";
import type { ApiContext } from "./scope.ts";

/** The members of a body's JSON object, by name. */
export type JsonFields = ReadonlyMap<string, unknown>;

const JSON_TYPE = /^application\/(?:[^;\s]+\+)?json\s*(?:;|$)/i;

/**
 * The members of the JSON object in the body of `context`.
 *
 * @throws {ApiError} 400, without repeating anything of the body
 */
export async function jsonFields(context: ApiContext): Promise<JsonFields> {
  if (!JSON_TYPE.test(context.req.header("Content-Type") ?? "")) {
    throw new ApiError(400, "Content type error: expected application/json");
  }
  const body = await context.req.arrayBuffer();
  if (body.byteLength > BODY_LIMIT) {
    throw new ApiError(
      400,
      `Payload error: the body is larger than allowed, ${BODY_LIMIT} bytes`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw badJson("invalid JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badJson("expected an object");
  }
  return new Map(Object.entries(value));
}

/**
 * The text in field `name`.
 *
 * @throws {ApiError} 400 when it is missing, null or no text
 */
export function textIn(fields: JsonFields, name: string): string {
  const value = fields.get(name) ?? undefined;
  if (value === undefined) throw badJson(`missing field \`${name}\``);
  if (typeof value !== "string") throw badJson(`\`${name}\` is no string`);
  return value;
}

/**
 * The text in field `name`, undefined where it is missing or null.
 *
 * @throws {ApiError} 400 when it is something else
 */
export function optionalTextIn(
  fields: JsonFields,
  name: string,
): string | undefined {
  return (fields.get(name) ?? undefined) === undefined
    ? undefined
    : textIn(fields, name);
}

function badJson(what: string): ApiError {
  return new ApiError(400, `Json deserialize error: ${what}`);
}
