/**
 * Real TPMs, in software, for one test each.
 *
 * @module
 */

import { Tpm } from "../../tpm/client.ts";
import { GetCapability } from "../../tpm/commands/capability.ts";
import type { Executor } from "../../tpm/commands/command.ts";
import { connectSwtpm } from "../../tpm/transport/swtpm.ts";
import type { Transport } from "../../tpm/transport/transport.ts";
import { Swtpm } from "../lab/swtpm.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";

/** A client of a running TPM; both end with its scope. */
export interface ConnectedTpm extends AsyncDisposable {
  readonly tpm: Tpm;
}

/** What {@linkcode blankTpm} can be told. */
export interface BlankTpmOptions {
  /** Kind of socket; a Unix socket unless told. */
  readonly transport?: "unix" | "tcp";
  /** What is put around the transport. */
  readonly wrap?: (transport: Transport) => Transport;
}

/** A new TPM without keys or certificates, and a client of it. */
export async function blankTpm(
  options: BlankTpmOptions = {},
): Promise<ConnectedTpm> {
  const { transport: kind = "unix", wrap = (inner) => inner } = options;
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory());
  const stateDirectory = directory.path;
  const swtpm = stack.use(
    await Swtpm.start({ stateDirectory, transport: kind }),
  );
  const transport = await connectSwtpm(swtpm.address);
  const tpm = stack.use(new Tpm(wrap(transport)));
  const owned = stack.move();
  return { tpm, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** First transient object; first session that is loaded; first saved one. */
const LEFT_BEHIND = [0x8000_0000, 0x0200_0000, 0x0300_0000] as const;

/** Handles of all objects and sessions that somebody left in the TPM. */
export async function leftIn(tpm: Executor): Promise<readonly number[]> {
  const handles: number[] = [];
  for (const property of LEFT_BEHIND) {
    const { capabilityData } = await tpm.execute(GetCapability, {
      capability: "handles",
      property,
      propertyCount: 100,
    });
    if (capabilityData.capability === "handles") {
      handles.push(...capabilityData.data);
    }
  }
  return handles;
}
