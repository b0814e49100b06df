/**
 * What the agent's end means to whoever started it. Codes are those of
 * sysexits.h where it has one.
 *
 * @module
 */

import { IdentityRefusedError } from "./agent/registrar_dialogue.ts";
import { ConfigError, UnfitOptionError } from "./config/error.ts";
import { UnusableFileError } from "./crypto/state_file.ts";
import { PrivilegeError } from "./service/privileges.ts";
import { TctiError } from "./tpm/mod.ts";

/** Why the agent may end. */
export const EXIT_CODE = {
  /** Something that may pass: a new start may help. */
  trouble: 1,
  /** It was started with arguments that it does not know. */
  usage: 2,
  /** The registrar knows its id as another machine's. EX_NOPERM. */
  refused: 77,
  /** It cannot do what its configuration says. EX_CONFIG. */
  configuration: 78,
} as const;

/** What only a change of the configuration, or of what it names, can heal. */
const OF_CONFIGURATION = [
  ConfigError,
  PrivilegeError,
  TctiError,
  UnfitOptionError,
  UnusableFileError,
];

/** The exit code of an agent that `error` ends. */
export function exitCodeOf(error: unknown): number {
  // What went wrong while cleaning up says nothing of the reason.
  if (error instanceof SuppressedError) return exitCodeOf(error.suppressed);
  if (error instanceof IdentityRefusedError) return EXIT_CODE.refused;
  return OF_CONFIGURATION.some((kind) => error instanceof kind)
    ? EXIT_CODE.configuration
    : EXIT_CODE.trouble;
}
