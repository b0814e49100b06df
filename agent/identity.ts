/**
 * What makes this machine this agent: its TPM's keys and its id (contract
 * section 2, steps 10 to 16).
 *
 * @module
 */

import type { AgentConfig } from "../config/agent_config.ts";
import { UnfitOptionError } from "../config/error.ts";
import type { Log } from "../log/log.ts";
import {
  flushLeftovers,
  PcrBankError,
  type PublicObject,
  readIdentity,
  readPcrs,
  type Tpm,
  type TpmHash,
  type TpmIdentity,
  TransientObject,
} from "../tpm/mod.ts";
import { agentId } from "./agent_id.ts";
import { openAttestationKey } from "./attestation_key.ts";
import { readEkCertificates } from "./ek_certificate.ts";
import { EndorsementKey } from "./endorsement_key.ts";

/** The agent's identity; disposing of it unloads the keys. */
export interface Identity extends AsyncDisposable {
  /** Agent id. */
  readonly uuid: string;
  /** The endorsement key, needed until the agent is registered. */
  readonly ek: EndorsementKey;
  /** EK certificate and chain in PEM, if the TPM has them. */
  readonly ekCertificates: string | undefined;
  /** The attestation key. */
  readonly ak: PublicObject;
}

/**
 * Opens the keys and finds the id.
 *
 * @throws UnfitOptionError if the TPM has no PCR bank of the configured hash: no quote
 * could ever succeed
 */
export async function openIdentity(
  tpm: Tpm,
  config: AgentConfig,
  log: Log,
): Promise<Identity> {
  await using opened = new AsyncDisposableStack();
  const nvBufferMax = await inspect(tpm, log);
  const { encryptionAlg, signingAlg, hashAlg, ekHandle, akHandle } = config.tpm;
  const ownerAuth = Uint8Array.from(config.tpm.ownerPassword);
  await requireBank(tpm, hashAlg);
  const ek = opened.use(
    await EndorsementKey.open(tpm, {
      keyType: encryptionAlg,
      persistentHandle: ekHandle.kind === "persistent"
        ? ekHandle.handle
        : undefined,
      hierarchyAuth: ownerAuth,
      // A persistent attestation key needs no loading, after its first time.
      isUsedNext: akHandle === undefined,
    }),
  );
  const ekCertificates = await readEkCertificates(tpm, {
    keyType: encryptionAlg,
    nvBufferMax,
    log,
  });
  const uuid = await agentId(config.uuid, {
    directory: config.keylimeDir,
    ekHash: ek.hash,
    log,
  });
  const ak = await openAttestationKey(tpm, ek, {
    path: config.agentDataPath,
    keyType: encryptionAlg,
    scheme: signingAlg,
    hash: hashAlg,
    place: akHandle === undefined ? undefined : { handle: akHandle, ownerAuth },
    log,
  });
  if (ak instanceof TransientObject) opened.use(ak);
  const keys = opened.move();
  return {
    uuid,
    ek,
    ekCertificates,
    ak,
    [Symbol.asyncDispose]: () => keys.disposeAsync(),
  };
}

async function requireBank(tpm: Tpm, hash: TpmHash): Promise<void> {
  try {
    await readPcrs(tpm, hash, [0]);
  } catch (error) {
    if (!(error instanceof PcrBankError)) throw error;
    throw new UnfitOptionError(
      `Option "tpm_hash_alg" is "${hash}", but this TPM has no such PCR bank; ` +
        "set the option to one that `tpm2_getcap pcrs` shows, or have the " +
        "firmware or tpm2_pcrallocate allocate it",
      { cause: error },
    );
  }
}

/** The first question to a TPM, which shows whether it is one. */
async function identify(tpm: Tpm): Promise<TpmIdentity> {
  try {
    return await readIdentity(tpm);
  } catch (cause) {
    throw new Error(
      `What answers at ${tpm.target} is no TPM 2.0 that works; check ` +
        "environment variable TCTI and the firmware's settings",
      { cause },
    );
  }
}

/** Looks at the TPM and returns what one TPM2_NV_Read gives, in bytes. */
async function inspect(tpm: Tpm, log: Log): Promise<number> {
  const { manufacturer, vendor, nvBufferMax } = await identify(tpm);
  log.info(`TPM ${manufacturer} "${vendor}" at ${tpm.target}`);
  if (vendor.includes("SW")) {
    log.warn(
      "This is a software TPM: whoever controls the machine it runs on can " +
        "forge what it says. Do not use it in production",
    );
  }
  if (!tpm.hasResourceManager) {
    const count = await flushLeftovers(tpm);
    if (count > 0) {
      log.warn(
        `Flushed ${count} objects and sessions that an ended program left in the TPM`,
      );
    }
  }
  return nvBufferMax;
}
