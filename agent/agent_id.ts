/**
 * Who the agent is (contract section 1.3, option `uuid`).
 *
 * @module
 */

import { join } from "node:path";
import type { UuidSource } from "../config/agent_config.ts";
import { parseUuid } from "../config/uuid.ts";
import {
  readStateFile,
  UnusableFileError,
  writePrivateFile,
} from "../crypto/state_file.ts";
import { type Log, quoted } from "../log/log.ts";

/** Where a generated id is kept in the agent's directory. */
const FILE_NAME = "agent_uuid";

/**
 * The agent's id. A generated one is kept in `agent_uuid`: with a new one at
 * every start the registrar would know this machine under ever more names, and
 * the verifier would lose it at each.
 *
 * @throws UnusableFileError if the kept id is no UUID, Error if it cannot be
 * read
 */
export async function agentId(
  source: UuidSource,
  { directory, ekHash, log }: {
    readonly directory: string;
    readonly ekHash: string;
    readonly log: Log;
  },
): Promise<string> {
  if (source.kind === "literal") return source.value;
  if (source.kind === "hash_ek") return ekHash;
  const path = join(directory, FILE_NAME);
  const kept = await readStateFile(path);
  if (kept === undefined) {
    const uuid = crypto.randomUUID();
    await writePrivateFile(path, `${uuid}\n`);
    log.info(`Generated a new UUID: ${uuid}`);
    return uuid;
  }
  const text = kept.text.trim();
  const uuid = parseUuid(text);
  if (uuid === undefined) {
    throw new UnusableFileError(
      `${path} holds ${quoted(text)}, which is no UUID; delete the file to ` +
        "have a new id generated",
    );
  }
  return uuid;
}
