/**
 * The scope `/keys` (contract section 5.8).
 *
 * @module
 */

import type { Attester } from "../../agent/attester.ts";
import { PayloadError } from "../../payload/error.ts";
import { AUTH_TAG_SIZE } from "../../payload/key_shares.ts";
import type { KeyReceiver } from "../../payload/service.ts";
import { success } from "../envelope.ts";
import { ApiError } from "../errors.ts";
import { jsonFields, optionalTextIn, textIn } from "../json_body.ts";
import type { ApiContext, Scope } from "../scope.ts";
import { parseVerifyQuery } from "../validate.ts";

/** The scope `/keys`, the same in every version. */
export function keysScope(attester: Attester, keys: KeyReceiver): Scope {
  /** 200 only means that the share was taken, not that it is the right one. */
  async function tenantShare(context: ApiContext): Promise<Response> {
    const body = await jsonFields(context);
    const encryptedKey = textIn(body, "encrypted_key");
    const tag = textIn(body, "auth_tag");
    const sealed = optionalTextIn(body, "payload");
    const share = opened(keys, encryptedKey);
    const authTag = hex(tag, "auth_tag");
    if (authTag.length !== AUTH_TAG_SIZE) {
      throw new ApiError(
        400,
        `auth_tag should have ${AUTH_TAG_SIZE} bytes: ${authTag.length}`,
      );
    }
    const payload = sealed === undefined
      ? undefined
      : base64(sealed, "payload");
    keys.acceptTenantShare({ share, authTag, payload });
    return success(null);
  }

  async function verifierShare(context: ApiContext): Promise<Response> {
    const body = await jsonFields(context);
    keys.acceptVerifierShare(opened(keys, textIn(body, "encrypted_key")));
    return success(null);
  }

  function verify(context: ApiContext): Response {
    const { challenge } = parseVerifyQuery(
      new URL(context.req.url).searchParams,
    );
    const hmac = keys.prove(challenge);
    if (hmac === undefined) {
      throw new ApiError(400, "Bootstrap key not yet available.");
    }
    return success({ hmac });
  }

  return {
    path: "/keys",
    routes: [
      {
        method: "GET",
        path: "/pubkey",
        answer: () => success({ pubkey: attester.payloadPublicKey }),
      },
      { method: "GET", path: "/verify", answer: verify },
      { method: "POST", path: "/ukey", answer: tenantShare },
      { method: "POST", path: "/vkey", answer: verifierShare },
    ],
    unknown: {
      GET:
        "URI not supported, only /pubkey and /verify are supported for GET in /keys interface",
      POST:
        "URI not supported, only /ukey and /vkey are supported for POST in /keys interface",
    },
    unsupported: "Method is not supported in /keys interface",
  };
}

function opened(
  keys: KeyReceiver,
  encrypted: string,
): ReturnType<KeyReceiver["openShare"]> {
  const bytes = base64(encrypted, "encrypted_key");
  try {
    return keys.openShare(bytes);
  } catch (cause) {
    if (!(cause instanceof PayloadError)) throw cause;
    throw new ApiError(400, cause.message, { cause });
  }
}

function base64(text: string, name: string): Uint8Array<ArrayBuffer> {
  try {
    // The runtime would skip blanks, which upstream does not.
    if (/\s/.test(text)) throw new SyntaxError("it holds blanks");
    return Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  } catch {
    throw new ApiError(400, `Invalid base64 encoding in ${name}`);
  }
}

function hex(text: string, name: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.fromHex(text);
  } catch {
    throw new ApiError(400, `Invalid hex encoding in ${name}`);
  }
}
