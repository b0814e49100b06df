/**
 * Query strings from the network, turned into typed requests. Every check of
 * contract sections 5.6 to 5.8 is here, in the contract's order and words.
 *
 * @module
 */

import type { IntegrityRequest } from "../agent/attester.ts";
import { ApiError } from "./errors.ts";

/** Longest nonce in bytes that Keylime agents accept. */
const NONCE_LIMIT = 64;

/** Characters of a parameter that an answer repeats at most. */
const ECHO_LIMIT = 100;

/** What `char::is_alphanumeric` of upstream's language means; empty passes. */
const ALPHANUMERIC = /^[\p{Alphabetic}\p{N}]*$/u;

/** A checked request for an identity quote. */
export interface IdentityQuery {
  /** Alphanumeric, at most 64 bytes of UTF-8. */
  readonly nonce: string;
}

/** A checked request for an integrity quote. */
export interface IntegrityQuery extends IntegrityRequest {
  /** Whether the answer leaves the payload public key out. */
  readonly partial: boolean;
}

/**
 * The request in the query string of GET `quotes/identity`
 * (contract section 5.6).
 *
 * @throws {ApiError} 400, on the first check that fails
 */
export function parseIdentityQuery(query: URLSearchParams): IdentityQuery {
  refuseRepeated(query, ["nonce"]);
  const nonce = required(query, "nonce");
  if (!ALPHANUMERIC.test(nonce)) {
    throw badRequest("Parameters should be strictly alphanumeric", echo(nonce));
  }
  if (byteLength(nonce) > NONCE_LIMIT) {
    throw badRequest(
      `Nonce is too long (max size ${NONCE_LIMIT})`,
      echo(nonce),
    );
  }
  return { nonce };
}

/**
 * The request in the query string of GET `quotes/integrity`
 * (contract section 5.7).
 *
 * @throws {ApiError} 400, on the first check that fails
 */
export function parseIntegrityQuery(query: URLSearchParams): IntegrityQuery {
  refuseRepeated(query, ["nonce", "mask", "partial", "ima_ml_entry"]);
  const nonce = required(query, "nonce");
  const maskText = required(query, "mask");
  const partial = required(query, "partial");

  for (const [name, value] of [["nonce", nonce], ["mask", maskText]] as const) {
    if (!ALPHANUMERIC.test(value)) {
      throw badRequest(`${name} should be strictly alphanumeric`, echo(value));
    }
  }
  const mask = parseMask(maskText);
  if (byteLength(nonce) > NONCE_LIMIT) {
    throw badRequest(
      `Nonce is too long (max size: ${NONCE_LIMIT})`,
      String(byteLength(nonce)),
    );
  }
  if (partial !== "0" && partial !== "1") {
    throw new ApiError(
      400,
      "uri must contain key 'partial' and value '0' or '1'",
    );
  }
  // Upstream finds this out from the TPM, too late, and answers 500, which a
  // client would retry for nothing.
  if (mask >= 2 ** 24) {
    throw badRequest("mask should select PCRs 0-23", echo(maskText));
  }

  return {
    nonce,
    mask,
    imaEntry: parseEntry(query.get("ima_ml_entry")),
    partial: partial === "1",
  };
}

/**
 * The challenge in the query string of GET `keys/verify`: alphanumeric, of any
 * length (contract section 5.8).
 *
 * @throws {ApiError} 400, on the first check that fails
 */
export function parseVerifyQuery(
  query: URLSearchParams,
): { readonly challenge: string } {
  refuseRepeated(query, ["challenge"]);
  const challenge = required(query, "challenge");
  if (challenge === "") throw new ApiError(400, "No challenge provided.");
  if (!ALPHANUMERIC.test(challenge)) {
    throw badRequest(
      "Parameters should be strictly alphanumeric",
      echo(challenge),
    );
  }
  return { challenge };
}

function parseMask(text: string): number {
  const digits = text.replace(/^(?:0x)+/, "");
  const value = /^[0-9a-f]+$/i.test(digits) ? Number.parseInt(digits, 16) : NaN;
  if (!(value < 2 ** 32)) {
    throw badRequest(
      "mask should be a hex encoded 32-bit integer",
      echo(text),
    );
  }
  return value;
}

/**
 * Index of the first wanted IMA entry. What is no unsigned 64-bit decimal asks
 * for the whole list, as does a number beyond the end; so a number too large
 * to be exact loses nothing by the cut.
 */
function parseEntry(text: string | null): number {
  if (text === null || !/^\+?[0-9]+$/.test(text)) return 0;
  const entry = BigInt(text.replace("+", ""));
  if (entry >= 2n ** 64n) return 0;
  return Math.min(Number(entry), Number.MAX_SAFE_INTEGER);
}

function refuseRepeated(query: URLSearchParams, known: string[]): void {
  const seen = new Set<string>();
  for (const name of query.keys()) {
    if (!known.includes(name)) continue;
    if (seen.has(name)) {
      throw badRequest(
        "Query deserialize error",
        `duplicate field \`${name}\``,
      );
    }
    seen.add(name);
  }
}

function required(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (value === null) {
    throw badRequest("Query deserialize error", `missing field \`${name}\``);
  }
  return value;
}

function badRequest(what: string, detail: string): ApiError {
  return new ApiError(400, `${what}: ${detail}`);
}

/** `text`, cut by whole characters to what an answer may repeat. */
function echo(text: string): string {
  const characters = [...text];
  return characters.length <= ECHO_LIMIT
    ? text
    : `${characters.slice(0, ECHO_LIMIT).join("")}…`;
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
