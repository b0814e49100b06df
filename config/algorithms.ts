/**
 * The TPM algorithms a configuration may name, and how far each can go.
 * Contract sections 1.4, 3.2 and 3.6.
 *
 * @module
 */

import { ConfigError, displayed, refusal } from "./error.ts";
import { whereIs } from "./origin.ts";
import { words } from "./resolution.ts";
import type { Setting } from "./settings.ts";

/** A hash algorithm, by Keylime's name. */
export type HashAlg = "sha1" | "sha256" | "sha384" | "sha512";

/** A key type, by its canonical name. */
export type EncryptionAlg = "rsa2048" | "ecc256";

/** A signature scheme. */
export type SigningAlg = "rsassa" | "ecdsa";

/** Names that an option may hold, and what they stand for. */
export interface Named<T> {
  /** The canonical name and its aliases. */
  readonly names: readonly string[];
  /** What the names stand for; undefined where nothing can come of it. */
  readonly meaning: T | undefined;
  /** Why the names are refused, as the end of "is …,"; absent if they work. */
  readonly refused?: string;
}

const NOT_BUILT = "which is not built yet";
const NO_TEMPLATE =
  "which can never work because no endorsement key template exists for it";
const NO_QUOTE =
  "which can never work because verifiers accept no quotes made with it";

/** The hash algorithms. */
export const HASH_ALGS: readonly Named<HashAlg>[] = [
  { names: ["sha1"], meaning: "sha1" },
  { names: ["sha256"], meaning: "sha256" },
  { names: ["sha384"], meaning: "sha384" },
  { names: ["sha512"], meaning: "sha512" },
  { names: ["sm3_256"], meaning: undefined, refused: NO_QUOTE },
];

/** The key types, with the names that they may have besides their own. */
export const KEY_TYPES: readonly Named<EncryptionAlg>[] = [
  { names: ["rsa2048", "rsa"], meaning: "rsa2048" },
  { names: ["rsa3072"], meaning: undefined, refused: NOT_BUILT },
  { names: ["rsa4096"], meaning: undefined, refused: NOT_BUILT },
  { names: ["ecc256", "ecc", "ecc_nist_p256"], meaning: "ecc256" },
  {
    names: ["ecc384", "ecc_nist_p384"],
    meaning: undefined,
    refused: NOT_BUILT,
  },
  {
    names: ["ecc521", "ecc_nist_p521"],
    meaning: undefined,
    refused: NOT_BUILT,
  },
  { names: ["ecc_sm2", "ecc_sm2_p256"], meaning: undefined, refused: NO_QUOTE },
  { names: ["rsa1024"], meaning: undefined, refused: NO_TEMPLATE },
  {
    names: ["ecc192", "ecc_nist_p192", "ecc224", "ecc_nist_p224"],
    meaning: undefined,
    refused: NO_TEMPLATE,
  },
];

/** The signature schemes. */
export const SCHEMES: readonly Named<SigningAlg>[] = [
  { names: ["rsassa"], meaning: "rsassa" },
  { names: ["rsapss"], meaning: undefined, refused: NO_QUOTE },
  { names: ["ecdsa"], meaning: "ecdsa" },
  { names: ["ecschnorr"], meaning: undefined, refused: NO_QUOTE },
];

/**
 * What the name in `setting` stands for.
 *
 * @throws {ConfigError} when it is not in `table` or is refused there
 */
export function algorithmIn<T>(
  table: readonly Named<T>[],
  setting: Setting<string>,
): T {
  const found = table.find(({ names }) => names.includes(setting.value));
  if (found?.meaning !== undefined && found.refused === undefined) {
    return found.meaning;
  }
  const usable = table.filter(({ refused }) => refused === undefined);
  const accepted = words(usable.flatMap(({ names }) => names));
  throw refusal(setting, accepted, { why: found?.refused });
}

/** Whether a key type is one of RSA or one of elliptic curves. */
export function familyOf(alg: EncryptionAlg): "rsa" | "ecc" {
  return alg.startsWith("rsa") ? "rsa" : "ecc";
}

/**
 * Checks that the signature scheme works with the key type.
 *
 * @throws {ConfigError} naming both options and where each was set
 */
export function requireMatch(
  encryption: Setting<string> & { readonly alg: EncryptionAlg },
  signing: Setting<string> & { readonly alg: SigningAlg },
): void {
  const wanted = familyOf(encryption.alg) === "rsa" ? "rsassa" : "ecdsa";
  if (signing.alg === wanted) return;
  const accepted = `"${wanted}" with this key type`;
  throw new ConfigError(
    `: option "${signing.option}" is ${displayed(signing)}, which does not ` +
      `work with option "${encryption.option}" = ${displayed(encryption)} ` +
      `(${whereIs(encryption.origin)}); accepted: ${accepted}`,
    { origin: signing.origin, option: signing.option, accepted },
  );
}
