/**
 * What tests of whole configurations do over and over.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { AgentConfig } from "../../config/agent_config.ts";
import { loadConfig } from "../../config/config.ts";
import { ConfigError } from "../../config/error.ts";
import { rootWith } from "./root.ts";

/** A line that keeps the warning about the example identity away. */
export const UUID = 'uuid = "hash_ek"';

/** The configuration of a file with `options`. */
export async function load(
  ...options: readonly string[]
): Promise<AgentConfig> {
  await using root = await rootWith(UUID, ...options);
  return await loadConfig(root.inputs());
}

/** The configuration of a file with `options`, which cause no warning. */
export async function loadQuietly(
  ...options: readonly string[]
): Promise<AgentConfig> {
  const config = await load(...options);
  assert.deepEqual(config.warnings, []);
  return config;
}

/** Asserts that each row's options are refused in one line like its pattern. */
export async function refuses(
  t: Deno.TestContext,
  rows: readonly (readonly [options: string, wanted: RegExp])[],
): Promise<void> {
  for (const [options, wanted] of rows) {
    await t.step(options, async () => {
      await using root = await rootWith(options);
      await assert.rejects(loadConfig(root.inputs()), (error) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, wanted);
        assert.doesNotMatch(error.message, /\n|\.$/);
        return true;
      });
    });
  }
}
