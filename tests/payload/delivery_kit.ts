/**
 * A delivery in a real mount, for tests.
 *
 * @module
 */

import type { PayloadConfig } from "../../config/agent_config.ts";
import { PayloadDelivery } from "../../payload/delivery.ts";
import type { SecurePlace } from "../../payload/secure_mount.ts";
import { recordingLog } from "../api/support/attester.ts";
import { sealed } from "./sealing.ts";
import { zip, type ZipEntry } from "./zip_file.ts";
import { mountForTest, type TestMount } from "./test_mount.ts";

/** The configuration by default. */
export const CONFIG: PayloadConfig = {
  deployment: "allowed",
  secureSize: "1m",
  keyName: "derived_tci_key",
  fileName: "decrypted_payload",
  archives: "extract",
  script: "autorun.sh",
  scriptTimeLimitMs: 60_000,
};

/** A delivery, its mount and its log. */
export interface DeliveryKit extends AsyncDisposable {
  readonly delivery: PayloadDelivery;
  readonly mount: TestMount;
  /** As `level message`. */
  readonly lines: string[];
  /** How often files were put in place. */
  readonly deliveries: () => number;
  /** Delivers `plain` and waits until nothing runs. */
  deliver(plain: Uint8Array | string): Promise<void>;
}

/** Sets one up in a mount of its own. */
export async function deliveryKit(
  changes: Partial<PayloadConfig> = {},
  { size = "1m", place }: { size?: string; place?: SecurePlace } = {},
): Promise<DeliveryKit> {
  const mount = await mountForTest(size);
  const { log, lines } = recordingLog();
  let deliveries = 0;
  const delivery = await PayloadDelivery.open({
    config: { ...CONFIG, ...changes },
    place: place ?? mount.place,
    onDelivered: () => void deliveries++,
    log,
  });
  return {
    delivery,
    mount,
    lines,
    deliveries: () => deliveries,
    deliver: async (plain): Promise<void> => {
      delivery.enqueue(sealed(plain));
      await delivery.idle();
    },
    [Symbol.asyncDispose]: async (): Promise<void> => {
      await delivery[Symbol.asyncDispose]();
      await mount[Symbol.asyncDispose]();
    },
  };
}

/** An archive with `script` as autorun.sh. */
export function withScript(
  script: string,
  ...others: readonly ZipEntry[]
): Uint8Array<ArrayBuffer> {
  return zip([{ name: "autorun.sh", content: script }, ...others]);
}
