/**
 * Receivers of revocations for tests of the API.
 *
 * @module
 */

import type { RevocationReceiver } from "../../../revocation/revocation.ts";
import type { Notification } from "../../../revocation/signature.ts";

/** For tests in which no revocation comes. */
export const NO_REVOCATIONS: RevocationReceiver = {
  submit: () => {
    throw new Error("Nobody expected a revocation");
  },
};

/** A receiver that keeps what it gets, and takes it or not. */
export function recordingReceiver(
  isTaken = true,
): RevocationReceiver & { readonly received: readonly Notification[] } {
  const received: Notification[] = [];
  return {
    received,
    submit: (notification) => {
      received.push(notification);
      return isTaken;
    },
  };
}
