/**
 * The agent's attestation without its registrar and without its HTTP.
 *
 * @module
 */

import { Attestation } from "../../../agent/attestation.ts";
import { openIdentity } from "../../../agent/identity.ts";
import { BootLog } from "../../../ima/boot_log.ts";
import { MeasurementList } from "../../../ima/measurement_list.ts";
import { createLog } from "../../../log/log.ts";
import type { Tpm } from "../../../tpm/mod.ts";
import { configIn } from "./configuration.ts";

/** Lines of `agent.conf` for both kinds of attestation key. */
export const KEY_KINDS = {
  RSA: ['tpm_encryption_alg = "rsa"', 'tpm_signing_alg = "rsassa"'],
  ECC: ['tpm_encryption_alg = "ecc"', 'tpm_signing_alg = "ecdsa"'],
} as const;

/** Where an attestation key may be, and the lines of `agent.conf` for it. */
export const KEY_PLACES = {
  loaded: [],
  persistent: ['ak_handle = "0x81080001"'],
} as const;

/** What answers verifiers. Disposing of it unloads its key. */
export interface OpenedAttester extends AsyncDisposable {
  readonly attester: Attestation;
}

/** Opens the attester whose files are in `directory`, ready as if registered. */
export async function openAttester(
  tpm: Tpm,
  { directory, options }: {
    readonly directory: string;
    readonly options: readonly string[];
  },
): Promise<OpenedAttester> {
  await using opened = new AsyncDisposableStack();
  const config = await configIn(directory, ...options);
  const log = createLog("off", () => {});
  const { uuid, ek, ak } = opened.use(await openIdentity(tpm, config, log));
  await ek[Symbol.asyncDispose]();
  const [list, bootLog] = [`${directory}/list`, `${directory}/boot_log`];
  await Deno.writeTextFile(list, "10 an entry\n");
  await Deno.writeTextFile(bootLog, "a log");
  const attester = new Attestation({
    tpm,
    ak,
    uuid,
    hash: config.tpm.hashAlg,
    keyType: config.tpm.encryptionAlg,
    scheme: config.tpm.signingAlg,
    payloadPublicKey: "a key in PEM\n",
    imaList: opened.use(await MeasurementList.open(list)),
    bootLog: opened.use(await BootLog.open(bootLog)),
  });
  const stack = opened.move();
  return { attester, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** The mask of an integrity quote over `count` registers, PCR 16 among them. */
export function maskOfRegisters(count: number): number {
  const others = Array.from({ length: 24 }, (_, pcr) => pcr)
    .filter((pcr) => pcr !== 16);
  return others.slice(0, count - 1).reduce((sum, pcr) => sum + 2 ** pcr, 0);
}
