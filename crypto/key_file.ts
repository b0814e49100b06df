/**
 * The agent's two private keys: read from their files, or made and kept there
 * (contract section 2.4).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import {
  createPrivateKey,
  generateKeyPair,
  generateKeyPairSync,
  KeyObject,
} from "node:crypto";
import { promisify } from "node:util";
import { decryptPbes2 } from "./pbes2.ts";
import { decodePem, type PemBlock } from "./pem.ts";
import {
  readStateFile,
  UnusableFileError,
  writePrivateFile,
} from "./state_file.ts";

/** Where a key is kept. */
export interface KeyLocation {
  /** Absolute path of the PEM file. */
  readonly path: string;
  /** Pass phrase of the file; empty for a file that is not encrypted. */
  readonly password: string;
}

/** A private key and how the agent came by it. */
export interface PrivateKeyFile {
  /** The key itself. */
  readonly key: KeyObject;
  /** Read from the file, made now, or taken over from the server key. */
  readonly origin: "read" | "generated" | "copied";
  /** Whether any user of the machine may read the file. */
  readonly isExposed: boolean;
}

/**
 * The TLS key of the agent's server: whatever private key `location` holds,
 * else a new P-256 key, written there as PKCS#8 with mode 0600. Throws
 * UnusableFileError, naming the file and what to do, when it holds no key that
 * can be used, and Error when it cannot be read or written.
 */
export async function loadOrCreateServerKey(
  location: KeyLocation,
): Promise<PrivateKeyFile> {
  const existing = await readKey(location, "server_key");
  if (existing !== undefined) return existing;
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  await writeKey(location, privateKey);
  return { key: privateKey, origin: "generated", isExposed: false };
}

/**
 * The RSA-2048 transport key of payloads: the one `location` holds, else a new
 * one, written there as PKCS#8 with mode 0600. Throws like
 * {@linkcode loadOrCreateServerKey}, and when the file holds another type.
 *
 * Older agents had one RSA key for both purposes and no payload key file.
 * Theirs, at `serverKey`, is then taken over: the verifier has bound it into
 * PCR 16 and would take a new one for an attack (rust-keylime issue 1262).
 */
export async function loadOrCreatePayloadKey(
  location: KeyLocation,
  serverKey: KeyLocation,
): Promise<PrivateKeyFile> {
  const existing = await readKey(location, "payload_key");
  if (existing !== undefined) {
    if (isRsa2048(existing.key)) return existing;
    throw new UnusableFileError(
      `payload_key ${JSON.stringify(location.path)} must hold an RSA key of ` +
        `2048 bits, not ${kindOf(existing.key)}; put the right key there, or ` +
        "move the file away to have a new key made",
    );
  }
  const shared = await readKey(serverKey, "server_key");
  if (shared !== undefined && isRsa2048(shared.key)) {
    await writeKey(location, shared.key);
    return { key: shared.key, origin: "copied", isExposed: false };
  }
  // On another thread: this takes as long as many a TPM command.
  const { privateKey } = await promisify(generateKeyPair)("rsa", {
    modulusLength: 2048,
  });
  await writeKey(location, privateKey);
  return { key: privateKey, origin: "generated", isExposed: false };
}

type KeyOption = "server_key" | "payload_key";

async function readKey(
  { path, password }: KeyLocation,
  option: KeyOption,
): Promise<PrivateKeyFile | undefined> {
  const file = await readStateFile(path);
  if (file === undefined) return undefined;
  const problem = (what: string, cause?: unknown): Error =>
    new UnusableFileError(`${option} ${JSON.stringify(path)} ${what}`, {
      cause,
    });
  const block = privateKeyBlock(file.text);
  if (block === undefined) {
    throw problem(
      "holds no private key in PEM form; restore it, or move the file away " +
        "to have a new key made",
    );
  }
  if (block.isEncrypted && password === "") {
    throw problem(`is encrypted; set ${option}_password to its pass phrase`);
  }
  try {
    const key = decodeKey(block, password);
    return { key, origin: "read", isExposed: file.isExposed };
  } catch (cause) {
    throw problem(
      block.isEncrypted
        ? `cannot be decrypted; check ${option}_password, or, if that is ` +
          "right, re-encrypt the key with openssl pkcs8 -topk8 -v2 aes-256-cbc"
        : "holds a damaged private key, or one of a kind that is not " +
          "supported; restore it, or move the file away to have a new key made",
      cause,
    );
  }
}

/**
 * The first private key in `text`, undefined for none; by itself, because a
 * block before it (`EC PARAMETERS`) makes `node:crypto` refuse the file.
 */
function privateKeyBlock(text: string): PemBlock | undefined {
  try {
    return decodePem(text).find(({ label }) => /PRIVATE KEY$/.test(label));
  } catch {
    return undefined;
  }
}

function decodeKey(block: PemBlock, password: string): KeyObject {
  if (!block.isEncrypted) return createPrivateKey(block.text);
  try {
    return createPrivateKey({ key: block.text, passphrase: password });
  } catch (error) {
    if (block.label !== "ENCRYPTED PRIVATE KEY") throw error;
    return createPrivateKey({
      key: Buffer.from(decryptPbes2(block.der, password)),
      format: "der",
      type: "pkcs8",
    });
  }
}

function writeKey(
  { path, password }: KeyLocation,
  key: KeyObject,
): Promise<void> {
  const pem = key.export({
    type: "pkcs8",
    format: "pem",
    ...(password !== "" && { cipher: "aes-256-cbc", passphrase: password }),
  });
  return writePrivateFile(path, pem.toString());
}

function isRsa2048(key: KeyObject): boolean {
  return key.asymmetricKeyType === "rsa" &&
    key.asymmetricKeyDetails?.modulusLength === 2048;
}

function kindOf(key: KeyObject): string {
  const bits = key.asymmetricKeyDetails?.modulusLength;
  return `${key.asymmetricKeyType}${bits === undefined ? "" : ` ${bits}`}`;
}
