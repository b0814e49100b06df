/**
 * `keylime_agent --evict-ak`: undoes option "ak_handle".
 *
 * @module
 */

import type { AgentConfig } from "../config/agent_config.ts";
import { UnfitOptionError } from "../config/error.ts";
import { readStateFile, UnusableFileError } from "../crypto/state_file.ts";
import {
  formatHandle,
  parseTcti,
  Tpm,
  type WrappedObject,
} from "../tpm/mod.ts";
import { parseAgentData } from "./agent_data.ts";
import { evictKept } from "./persistent_key.ts";

/**
 * Removes the agent's attestation key from the persistent handle that the
 * configuration names, and returns what was done in a sentence. The key itself
 * stays in `agent_data.json`.
 *
 * @param tcti how the TPM is reached, in the syntax of `TCTI`
 * @throws UnfitOptionError if no handle is configured, or another key is there;
 * UnusableFileError if nothing tells which is the agent's
 */
export async function evictAttestationKey(
  { tpm: { akHandle, ownerPassword }, agentDataPath }: AgentConfig,
  tcti: string,
): Promise<string> {
  if (akHandle === undefined) {
    throw new UnfitOptionError(
      'Option "ak_handle" is empty, so there is nothing to evict; a key that ' +
        "an earlier configuration put into the TPM is found with " +
        "KEYLIME_AGENT_AK_HANDLE=HANDLE",
    );
  }
  const where = formatHandle(akHandle);
  const kept = await readKept(agentDataPath);
  await using tpm = await Tpm.open(parseTcti(tcti));
  const wasThere = await evictKept(tpm, {
    handle: akHandle,
    ownerAuth: Uint8Array.from(ownerPassword),
    kept,
  });
  return wasThere
    ? `Evicted the attestation key from ${where}; it stays in ${agentDataPath}`
    : `There is no key at ${where}`;
}

async function readKept(path: string): Promise<WrappedObject | undefined> {
  const file = await readStateFile(path);
  try {
    return file && parseAgentData(file.text).attestationKey;
  } catch (cause) {
    throw new UnusableFileError(
      `${path} cannot be used, so nothing tells which key is the agent's`,
      { cause },
    );
  }
}
