/**
 * The attestation key: made once, kept in `agent_data.json`, loaded at each
 * start (contract sections 2.3 and 3.4). The registrar pins it, so a new one
 * is made only when the old one cannot be used any more, and that is told.
 *
 * @module
 */

import { readStateFile, writePrivateFile } from "../crypto/state_file.ts";
import { describe, type Log } from "../log/log.ts";
import {
  akTemplate,
  create,
  type Executor,
  formatHandle,
  type KeyType,
  load,
  type PublicObject,
  type SigningScheme,
  TpmError,
  type TpmHash,
  type TransientObject,
  type WrappedObject,
} from "../tpm/mod.ts";
import { formatAgentData, parseAgentData } from "./agent_data.ts";
import type { EndorsementKey } from "./endorsement_key.ts";
import {
  findPersistent,
  persist,
  type PersistentPlace,
} from "./persistent_key.ts";

/** What the key is to be and where it is kept. */
export interface AttestationKeyOptions {
  /** Absolute path of `agent_data.json`. */
  readonly path: string;
  /** Its type. */
  readonly keyType: KeyType;
  /** Its signature scheme. */
  readonly scheme: SigningScheme;
  /** Hash of its Name and of its quotes. */
  readonly hash: TpmHash;
  /** Where in the TPM it is kept besides, if it is. */
  readonly place: PersistentPlace | undefined;
  /** Told whether the key was kept or made, and why. */
  readonly log: Log;
}

/**
 * The key that `agent_data.json` holds, or a new one that it holds now.
 * Disposing of it is the caller's, unless it is persistent.
 *
 * @throws Error if another key is where it is to be persistent
 */
export async function openAttestationKey(
  tpm: Executor,
  ek: EndorsementKey,
  options: AttestationKeyOptions,
): Promise<PublicObject | TransientObject> {
  const { place, log } = options;
  const kept = await readKept(ek, options);
  if (place === undefined) return await loadOrMake(tpm, ek, { kept, options });
  const present = await findPersistent(tpm, { handle: place.handle, kept });
  if (present !== undefined) {
    log.info(`Found the attestation key at ${formatHandle(present.handle)}`);
    return present;
  }
  const loaded = await loadOrMake(tpm, ek, { kept, options });
  return await persist(tpm, loaded, {
    place,
    saltKey: ek.saltKey,
    log,
  });
}

async function loadOrMake(
  tpm: Executor,
  ek: EndorsementKey,
  { kept, options }: {
    readonly kept: WrappedObject | undefined;
    readonly options: AttestationKeyOptions;
  },
): Promise<TransientObject> {
  if (kept !== undefined) {
    const loaded = await tryLoad(tpm, ek, { kept, options });
    if (loaded !== undefined) return loaded;
  }
  const { keyType, scheme, hash, path, log } = options;
  const made = await ek.use(
    tpm,
    (parent) => create(tpm, parent, akTemplate(keyType, scheme, hash)),
  );
  await writePrivateFile(
    path,
    formatAgentData({ hash, scheme, ekHash: ek.hash, attestationKey: made }),
  );
  log.info(`Created a new attestation key and stored it in ${path}`);
  return await ek.use(tpm, (parent) => load(tpm, parent, made));
}

/** The key in the file, if it is one that `options` ask for. */
async function readKept(
  ek: EndorsementKey,
  { path, scheme, hash, log }: AttestationKeyOptions,
): Promise<WrappedObject | undefined> {
  const file = await readStateFile(path);
  if (file === undefined) {
    log.info(`There is no ${path} yet`);
    return undefined;
  }
  try {
    const data = parseAgentData(file.text);
    if (data.ekHash !== ek.hash) {
      log.warn(
        `The attestation key in ${path} belongs to another TPM or ` +
          "endorsement key; a new one is made",
      );
      return undefined;
    }
    if (data.hash !== hash || data.scheme !== scheme) {
      log.warn(
        `The attestation key in ${path} signs with ${data.scheme} and ` +
          `${data.hash}, the configuration says ${scheme} and ${hash}; a new ` +
          "one is made",
      );
      return undefined;
    }
    return data.attestationKey;
  } catch (error) {
    log.warn(
      `The attestation key in ${path} cannot be used: ${describe(error)}; a ` +
        "new one is made",
    );
    return undefined;
  }
}

/** Loads the kept key, or returns undefined if it is worthless. */
async function tryLoad(
  tpm: Executor,
  ek: EndorsementKey,
  { kept, options }: {
    readonly kept: WrappedObject;
    readonly options: AttestationKeyOptions;
  },
): Promise<TransientObject | undefined> {
  try {
    const key = await ek.use(tpm, (parent) => load(tpm, parent, kept));
    options.log.info(`Loaded the attestation key from ${options.path}`);
    return key;
  } catch (error) {
    if (!(error instanceof TpmError && isAboutBlob(error))) throw error;
    options.log.warn(
      `The TPM does not accept the attestation key in ${options.path} (${
        describe(error)
      }); a new one is made`,
    );
    return undefined;
  }
}

/**
 * Whether the TPM refused the key for what it is. Whatever else fails, from a
 * busy TPM to a broken one, must not cost the machine its identity.
 */
function isAboutBlob(error: TpmError): boolean {
  return error.command === "TPM2_Load" &&
    (error.code.subject?.kind === "parameter" ||
      error.is("TPM_RC_SENSITIVE") || error.is("TPM_RC_BINDING"));
}
