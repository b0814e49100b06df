/**
 * `agent_data.json`: the attestation key between two starts, in rust-keylime's
 * format, so that either agent takes over from the other (contract section
 * 2.3).
 *
 * @module
 */

import {
  type Bytes,
  decode,
  encode,
  type SigningScheme,
  type TpmHash,
  TPMT_PUBLIC,
  type WrappedObject,
} from "../tpm/mod.ts";

const HASH_NAMES: { readonly [name: string]: TpmHash } = {
  Sha1: "sha1",
  Sha256: "sha256",
  Sha384: "sha384",
  Sha512: "sha512",
  Sm3_256: "sm3_256",
};

const SCHEME_NAMES: { readonly [name: string]: string } = {
  RsaSsa: "rsassa",
  RsaPss: "rsapss",
  EcDsa: "ecdsa",
  EcSchnorr: "ecschnorr",
};

/** What the file says. */
export interface AgentData {
  /** Hash of the attestation key's Name and quotes. */
  readonly hash: TpmHash;
  /** Its signature scheme. */
  readonly scheme: string;
  /** SHA-256 of the endorsement key it was made under, in hexadecimal. */
  readonly ekHash: string;
  /** The key itself, which only that endorsement key's TPM can load. */
  readonly attestationKey: WrappedObject;
}

/** The file cannot be used; the message says why. */
export class AgentDataError extends Error {
  /** The class's name, also after bundling. */
  override readonly name = "AgentDataError";
}

function bytesOf(
  record: { readonly [key: string]: unknown },
  key: string,
): Bytes {
  const value = record[key];
  const isBytes = Array.isArray(value) && value.length <= 4096 &&
    value.every((item) => Number.isInteger(item) && item >= 0 && item <= 0xff);
  if (!isBytes) {
    throw new AgentDataError(`"${key}" is not an array of byte values`);
  }
  return Uint8Array.from(value);
}

function namedIn<T>(
  table: { readonly [name: string]: T },
  record: { readonly [key: string]: unknown },
  key: string,
): T {
  const name = record[key];
  const value = typeof name === "string" && Object.hasOwn(table, name)
    ? table[name]
    : undefined;
  if (value === undefined) {
    throw new AgentDataError(
      `"${key}" is none of ${Object.keys(table).join(", ")}`,
    );
  }
  return value;
}

/** Reads the text of an `agent_data.json`. Throws AgentDataError. */
export function parseAgentData(text: string): AgentData {
  try {
    const parsed: unknown = JSON.parse(text);
    if (
      typeof parsed !== "object" || parsed === null || Array.isArray(parsed)
    ) {
      throw new AgentDataError("it is not a JSON object");
    }
    const record = parsed as { readonly [key: string]: unknown };
    return {
      hash: namedIn(HASH_NAMES, record, "ak_hash_alg"),
      scheme: namedIn(SCHEME_NAMES, record, "ak_sign_alg"),
      ekHash: new TextDecoder().decode(bytesOf(record, "ek_hash")),
      attestationKey: {
        publicArea: decode(TPMT_PUBLIC, bytesOf(record, "ak_public")),
        privateArea: bytesOf(record, "ak_private"),
      },
    };
  } catch (error) {
    if (error instanceof AgentDataError) throw error;
    throw new AgentDataError("it is damaged", { cause: error });
  }
}

function nameFor<T>(table: { readonly [name: string]: T }, value: T): string {
  const found = Object.entries(table).find(([, known]) => known === value);
  if (found === undefined) throw new RangeError(`"${value}" has no name here`);
  return found[0];
}

/** The text of an `agent_data.json` that says `data`. */
export function formatAgentData(
  data: AgentData & { readonly scheme: SigningScheme },
): string {
  const { publicArea, privateArea } = data.attestationKey;
  return JSON.stringify(
    {
      ak_hash_alg: nameFor(HASH_NAMES, data.hash),
      ak_sign_alg: nameFor(SCHEME_NAMES, data.scheme),
      ak_public: [...encode(TPMT_PUBLIC, publicArea)],
      ak_private: [...privateArea],
      ek_hash: [...new TextEncoder().encode(data.ekHash)],
    },
    null,
    2,
  );
}
