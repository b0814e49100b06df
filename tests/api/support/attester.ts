/**
 * An attester for tests of the API: it answers at once and remembers what it
 * was asked.
 *
 * @module
 */

import type {
  Attester,
  IntegrityEvidence,
  IntegrityRequest,
} from "../../../agent/attester.ts";
import { LEVELS, type Log } from "../../../log/log.ts";

/** PEM text with the final newline that verifiers hash. */
export const PUBLIC_KEY =
  "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";

/** An {@linkcode Attester} with fixed answers; `changes` replaces parts of it. */
export function attesterWith(changes: Partial<Attester> = {}): Attester {
  return {
    uuid: "d432fbb3-d2f1-4a97-9ef7-75bd81c00000",
    algorithms: { hash: "sha256", encryption: "rsa2048", signing: "rsassa" },
    akHandle: 0x80000001,
    payloadPublicKey: PUBLIC_KEY,
    identityQuote: (nonce: string): Promise<string> =>
      Promise.resolve(`rID:${nonce}`),
    integrityEvidence: (
      { mask, imaEntry }: IntegrityRequest,
    ): Promise<IntegrityEvidence> =>
      Promise.resolve({
        quote: `rPCRS:${mask}`,
        imaList: { text: "10 line\n", entry: imaEntry },
      }),
    ...changes,
  };
}

/** A log that keeps its lines as `level message`. */
export function recordingLog(): {
  readonly log: Log;
  readonly lines: string[];
} {
  const lines: string[] = [];
  const log = Object.fromEntries(
    LEVELS.map((level) => [
      level,
      (message: string): void => {
        lines.push(`${level} ${message}`);
      },
    ]),
  ) as Log;
  return { log, lines };
}
