/**
 * The certificates that a TPM's maker left in it (contract section 3.3).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { splitDer, trimDer } from "../crypto/der.ts";
import { encodePem } from "../crypto/pem.ts";
import { describe, type Log } from "../log/log.ts";
import {
  EK_CERTIFICATE_INDEX,
  type Executor,
  formatHandle,
  type KeyType,
  readHandles,
  readNvIndex,
} from "../tpm/mod.ts";

/** NV indices of the EK certificate chain. TCG EK Credential Profile. */
const CHAIN_FIRST = 0x01c0_0100;
const CHAIN_LAST = 0x01c0_01ff;

/** What {@linkcode readEkCertificates} needs. */
export interface EkCertificateOptions {
  /** Selects the index of the certificate. */
  readonly keyType: KeyType;
  /** How much the TPM gives in one TPM2_NV_Read, in bytes. */
  readonly nvBufferMax: number;
  /** Told what is there, what is not, and why. */
  readonly log: Log;
}

/**
 * The EK certificate and after it the chain that the TPM stores, from the
 * last index to the first, as PEM; undefined if there is no certificate. Many
 * TPMs have none, so its absence is told but is no error.
 */
export async function readEkCertificates(
  tpm: Executor,
  options: EkCertificateOptions,
): Promise<string | undefined> {
  const certificate = await readCertificate(tpm, options);
  if (certificate === undefined) return undefined;
  const chain = await readChain(tpm, options);
  return [certificate, ...chain.reverse()]
    .map((der) => encodePem("CERTIFICATE", der)).join("");
}

async function readCertificate(
  tpm: Executor,
  { keyType, nvBufferMax, log }: EkCertificateOptions,
): Promise<Uint8Array | undefined> {
  const index = EK_CERTIFICATE_INDEX[keyType];
  const where = `NV index ${formatHandle(index)}`;
  try {
    const contents = await readNvIndex(tpm, index, nvBufferMax);
    if (contents === undefined) {
      log.info(
        `The TPM holds no EK certificate in ${where}. That is normal for ` +
          "many TPMs; the tenant then needs an ek_check_script, or " +
          "require_ek_cert = False",
      );
      return undefined;
    }
    const der = trimDer(contents);
    if (der === undefined) {
      log.warn(
        `${where} holds ${contents.length} bytes that are no DER certificate; ` +
          "the agent registers without an EK certificate",
      );
    }
    return der;
  } catch (error) {
    log.warn(
      `The EK certificate in ${where} cannot be read (${describe(error)}); ` +
        "the agent registers without it",
    );
    return undefined;
  }
}

async function readChain(
  tpm: Executor,
  { nvBufferMax, log }: EkCertificateOptions,
): Promise<Uint8Array[]> {
  try {
    const handles = (await readHandles(tpm, CHAIN_FIRST))
      .filter((handle) => handle <= CHAIN_LAST);
    const parts: Uint8Array[] = [];
    for (const handle of handles) {
      const contents = await readNvIndex(tpm, handle, nvBufferMax);
      if (contents !== undefined) parts.push(contents);
    }
    // A certificate may be spread over two indices, so split only the whole.
    return splitDer(Buffer.concat(parts));
  } catch (error) {
    log.warn(
      `The EK certificate chain in the TPM cannot be read (${
        describe(error)
      }); the agent registers without it`,
    );
    return [];
  }
}
