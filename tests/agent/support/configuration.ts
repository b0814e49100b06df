/**
 * Configurations of an agent with its files in a test's directory.
 *
 * @module
 */

import type { AgentConfig } from "../../../config/agent_config.ts";
import { load } from "../../config/loading.ts";

/** The configuration of a file with `options`, its files in `directory`. */
export async function configIn(
  directory: string,
  ...options: readonly string[]
): Promise<AgentConfig> {
  const config = await load(...options);
  const here = (path: string): string =>
    path.replace(config.keylimeDir, directory);
  return {
    ...config,
    keylimeDir: directory,
    agentDataPath: here(config.agentDataPath),
    serverKey: { ...config.serverKey, path: here(config.serverKey.path) },
    payloadKey: { ...config.payloadKey, path: here(config.payloadKey.path) },
    serverCertificate: here(config.serverCertificate),
  };
}
