/**
 * The scope `/quotes` (contract sections 5.6 and 5.7).
 *
 * @module
 */

import { type Attester, NonceTooLongError } from "../../agent/attester.ts";
import { describe, type Log } from "../../log/log.ts";
import { streamedSuccess, success } from "../envelope.ts";
import { ApiError } from "../errors.ts";
import type { ApiContext, Scope } from "../scope.ts";
import { parseIdentityQuery, parseIntegrityQuery } from "../validate.ts";
import type { ApiVersion } from "../../config/api_versions.ts";
import { encryptionName } from "../versions.ts";

/** The scope `/quotes` of `version`. */
export function quotesScope(
  attester: Attester,
  version: ApiVersion,
  log: Log,
): Scope {
  const algorithmNames = {
    hash_alg: attester.algorithms.hash,
    enc_alg: encryptionName(attester.algorithms.encryption, version),
    sign_alg: attester.algorithms.signing,
  };

  async function identity(context: ApiContext): Promise<Response> {
    const { nonce } = parseIdentityQuery(queryOf(context));
    const quote = await retrieved(() => attester.identityQuote(nonce));
    return success({
      quote,
      ...algorithmNames,
      pubkey: attester.payloadPublicKey,
    });
  }

  async function integrity(context: ApiContext): Promise<Response> {
    const { partial, ...request } = parseIntegrityQuery(queryOf(context));
    const { quote, bootLog, imaList } = await retrieved(() =>
      attester.integrityEvidence(request)
    );
    const results = {
      quote,
      ...algorithmNames,
      pubkey: partial ? undefined : attester.payloadPublicKey,
      ima_measurement_list: imaList?.text,
      mb_measurement_list: bootLog,
      ima_measurement_list_entry: imaList?.entry,
    };
    if (!(imaList?.text instanceof ReadableStream)) return success(results);
    return streamedSuccess(results, {
      name: "ima_measurement_list",
      stream: imaList.text,
      onFailure: (error) => {
        log.error(`An integrity quote was cut off: ${describe(error)}`);
        context.env?.outgoing?.destroy();
      },
    });
  }

  return {
    path: "/quotes",
    routes: [
      { method: "GET", path: "/identity", answer: identity },
      { method: "GET", path: "/integrity", answer: integrity },
    ],
    unknown: {
      GET:
        "URI not supported, only /identity and /integrity are supported for GET in /quotes/ interface",
    },
    unsupported: "Method is not supported in /quotes/ interface",
  };
}

/**
 * The query, decoded as a form is. Not Hono's `query()`: that one hides a
 * repeated parameter and leaves malformed escapes undecoded.
 */
function queryOf(context: ApiContext): URLSearchParams {
  return new URL(context.req.url).searchParams;
}

/** What `work` gives; any failure but the client's own becomes upstream's 500. */
async function retrieved<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof NonceTooLongError) throw cause;
    throw new ApiError(500, "Unable to retrieve quote", { cause });
  }
}
