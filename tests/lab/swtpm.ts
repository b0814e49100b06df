/**
 * Software TPMs: made with their endorsement key certificates, started,
 * stopped in an orderly way, or cut off.
 *
 * @module
 */

import { runOk } from "./command.ts";
import type { EkCa } from "./ek_ca.ts";
import { ALL_BANKS, type Bank } from "./pcr_bank.ts";
import { freePorts } from "./ports.ts";
import { LabProcess } from "./process.ts";
import {
  connectTpm,
  readFrame,
  tctiOf,
  type TpmAddress,
  writeAll,
} from "./tpm_address.ts";
import { within } from "./wait.ts";

/** NV index of the certificate for the P-256 endorsement key template. */
const P256_CERTIFICATE_INDEX = "0x01c0000a";

/** What `swtpm_setup` gives the indices of its own certificates. */
const CERTIFICATE_ATTRIBUTES =
  "ppwrite|writedefine|ppread|ownerread|authread|no_da|platformcreate";

/** TPM2_Shutdown(TPM_SU_CLEAR). */
const SHUTDOWN_CLEAR = Uint8Array.fromHex("80010000000c000001450000");

/** The response of a command that returns nothing. */
const SUCCESS = "80010000000a00000000";

/** How a TPM is made. */
export interface ManufactureOptions {
  /** Who certifies its endorsement keys. */
  readonly ca: EkCa;
  /** Its PCR banks; all four unless told. */
  readonly banks?: readonly Bank[];
}

/**
 * Makes a new TPM, unlike any other, with its state in the new directory
 * `stateDirectory`. It has endorsement key certificates at NV 0x01c00002
 * (RSA-2048), 0x01c0000a (P-256) and 0x01c00016 (P-384), and the first and
 * last key persistent at 0x81010001 and 0x81010016.
 */
export async function manufacture(
  stateDirectory: string,
  options: ManufactureOptions,
): Promise<void> {
  const { ca, banks = ALL_BANKS } = options;
  await Deno.mkdir(stateDirectory);
  await runOk([
    "swtpm_setup",
    ...["--tpm2", "--tpmstate", stateDirectory, "--config", ca.setupConfig],
    ...["--create-ek-cert", "--lock-nvram", "--overwrite"],
    ...["--pcr-banks", banks.join(",")],
    // As root it would become the user tss, who may not enter our directory.
    ...(Deno.uid() === 0 ? ["--runas", "root"] : []),
  ]);
  await using swtpm = await Swtpm.start({ stateDirectory });
  await addP256Certificate(swtpm, ca, stateDirectory);
}

/** swtpm 0.7 only knows P-384; agents with an ecc256 EK look here. */
async function addP256Certificate(
  swtpm: Swtpm,
  ca: EkCa,
  directory: string,
): Promise<void> {
  const context = `${directory}/ek.ctx`;
  const publicKey = `${directory}/ek.pem`;
  const certificate = `${directory}/ek.cert`;
  await swtpm.tool([
    "tpm2_createek",
    ...["-G", "ecc", "-c", context, "-u", publicKey, "-f", "pem"],
  ]);
  const pem = await Deno.readTextFile(publicKey);
  const der = Uint8Array.fromBase64(pem.replaceAll(/-----.*-----|\s/g, ""));
  const issued = await ca.issueP256(der);
  await Deno.writeFile(certificate, issued);
  const index = P256_CERTIFICATE_INDEX;
  await swtpm.tool([
    "tpm2_nvdefine",
    ...[index, "-C", "p", "-s", String(issued.length)],
    ...["-a", CERTIFICATE_ATTRIBUTES],
  ]);
  await swtpm.tool(["tpm2_nvwrite", index, "-C", "p", "-i", certificate]);
  await swtpm.tool(["tpm2_nvwritelock", index, "-C", "p"]);
  for (const file of [context, publicKey, certificate]) await Deno.remove(file);
}

/** How a TPM is powered. */
export interface SwtpmOptions {
  /** Directory from {@linkcode manufacture}. */
  readonly stateDirectory: string;
  /** Kind of socket it listens on; a Unix socket unless told. */
  readonly transport?: "unix" | "tcp";
}

/**
 * A powered TPM that has had TPM2_Startup(CLEAR). It serves one client after
 * the other: whoever connects while another is connected has to wait.
 */
export class Swtpm implements AsyncDisposable {
  /** Where it takes commands. */
  readonly address: TpmAddress;
  readonly #process: LabProcess;

  private constructor(address: TpmAddress, process: LabProcess) {
    this.address = address;
    this.#process = process;
  }

  /** Powers the TPM with that state; resolves when it takes commands. */
  static async start(options: SwtpmOptions): Promise<Swtpm> {
    const { stateDirectory, transport = "unix" } = options;
    // Another process may take a port between our look and swtpm's.
    for (let attempt = 1;; attempt++) {
      try {
        return await Swtpm.#powerOn(stateDirectory, transport);
      } catch (error) {
        if (transport === "unix" || attempt === 5) throw error;
      }
    }
  }

  static async #powerOn(
    stateDirectory: string,
    transport: "unix" | "tcp",
  ): Promise<Swtpm> {
    const address = addressFor(stateDirectory, transport);
    const { server, control } = listeningAt(address);
    if (address.transport === "unix") {
      // Left behind by a power cut, it would look like a TPM that is ready.
      await Deno.remove(address.path).catch(() => {});
    }
    const process = await LabProcess.start([
      ...["swtpm", "socket", "--tpm2", "--tpmstate", `dir=${stateDirectory}`],
      ...["--server", server, "--ctrl", control],
      ...["--flags", "not-need-init,startup-clear"],
    ], {
      name: "swtpm",
      logFile: `${stateDirectory}/swtpm.log`,
      ready: () => accepts(address),
    });
    return new Swtpm(address, process);
  }

  /** Its address as a TCTI string of tpm2-tss. */
  get tcti(): string {
    return tctiOf(this.address);
  }

  /** Process id of the simulator. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Runs one of tpm2-tools on this TPM; resolves with its output. */
  async tool(argv: readonly string[]): Promise<string> {
    return await runOk(argv, { env: { TPM2TOOLS_TCTI: this.tcti } });
  }

  /**
   * Shuts the TPM down as an orderly machine does: TPM2_Shutdown(CLEAR), then
   * no power. Without it its clock jumps back. Harmless when it is off.
   *
   * @throws Error when another client keeps the TPM for itself; it is off then
   */
  async stop(): Promise<void> {
    if (this.#process.hasExited) return;
    try {
      await this.#shutDown();
    } finally {
      await this.#process.stop();
    }
  }

  async #shutDown(): Promise<void> {
    try {
      using conn = await connectTpm(this.address);
      await writeAll(conn, SHUTDOWN_CLEAR);
      const response = await within(2000, readFrame(conn));
      if (response?.toHex() !== SUCCESS) {
        throw new Error(`It answered ${response?.toHex() ?? "nothing"}`);
      }
    } catch (error) {
      throw new Error(
        `Cannot shut down the TPM at "${this.tcti}"; disconnect other clients`,
        { cause: error },
      );
    }
  }

  /** Takes the power away without any warning. Harmless when it is off. */
  async powerCut(): Promise<void> {
    await this.#process.kill();
  }

  /** As {@linkcode Swtpm.stop}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function addressFor(
  stateDirectory: string,
  transport: "unix" | "tcp",
): TpmAddress {
  return transport === "unix"
    ? { transport, path: `${stateDirectory}/tpm` }
    : { transport, hostname: "127.0.0.1", port: freePorts(2) };
}

/** Options of swtpm; tpm2-tss looks for the control socket just there. */
function listeningAt(
  address: TpmAddress,
): { server: string; control: string } {
  return address.transport === "unix"
    ? {
      server: `type=unixio,path=${address.path}`,
      control: `type=unixio,path=${address.path}.ctrl`,
    }
    : {
      server: `type=tcp,port=${address.port}`,
      control: `type=tcp,port=${address.port + 1}`,
    };
}

async function accepts(address: TpmAddress): Promise<boolean> {
  try {
    using _conn = await connectTpm(address);
    return true;
  } catch {
    return false;
  }
}
