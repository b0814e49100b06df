/**
 * The TPM of one lab machine: made, powered and shared by everything on it.
 *
 * @module
 */

import { extendPcr, Tpm } from "../../tpm/mod.ts";
import { ALL_BANKS, type Bank, type Bytes } from "./pcr_bank.ts";
import { manufacture, type ManufactureOptions, Swtpm } from "./swtpm.ts";
import { TpmMux } from "./tpm_mux.ts";

/** A TPM whose address survives power cycles, as that of a real one does. */
export class LabTpm implements AsyncDisposable {
  /** What all clients go through. */
  readonly mux: TpmMux;
  /** Its PCR banks. */
  readonly banks: readonly Bank[];
  readonly #stateDirectory: string;
  readonly #client: Tpm;
  #swtpm: Swtpm;

  private constructor(
    stateDirectory: string,
    banks: readonly Bank[],
    swtpm: Swtpm,
  ) {
    this.#stateDirectory = stateDirectory;
    this.banks = banks;
    this.#swtpm = swtpm;
    this.mux = TpmMux.listen(swtpm.address);
    this.#client = new Tpm({
      target: `the lab's TPM at ${this.mux.tcti}`,
      hasResourceManager: false,
      transmit: (command) => this.mux.transmit(command),
      [Symbol.asyncDispose]: () => this.mux[Symbol.asyncDispose](),
    });
  }

  /** Makes a new TPM with its state in the new `stateDirectory`, powered. */
  static async make(
    stateDirectory: string,
    options: ManufactureOptions,
  ): Promise<LabTpm> {
    await manufacture(stateDirectory, options);
    const swtpm = await Swtpm.start({ stateDirectory });
    return new LabTpm(stateDirectory, options.banks ?? ALL_BANKS, swtpm);
  }

  /** Its address as a TCTI string of tpm2-tss, for tpm2-tools and agents. */
  get tcti(): string {
    return this.mux.tcti;
  }

  /** Process id of the simulator that runs now. */
  get pid(): number {
    return this.#swtpm.pid;
  }

  /** Extends a PCR, as the machine's firmware and kernel do. */
  readonly extend = async (
    pcr: number,
    digests: ReadonlyMap<Bank, Bytes>,
  ): Promise<void> => {
    await extendPcr(
      this.#client,
      pcr,
      [...digests].map(([hashAlg, digest]) => ({ hashAlg, digest })),
    );
  };

  /**
   * The machine goes down and comes up again: PCRs, loaded objects and
   * sessions are gone, clients stay connected.
   *
   * @param how whether TPM2_Shutdown comes first; without it the clock jumps
   * back and is not safe for a while
   */
  async powerCycle(how: "orderly" | "power cut" = "orderly"): Promise<void> {
    await this.mux.replace(async () => {
      await (how === "orderly" ? this.#swtpm.stop() : this.#swtpm.powerCut());
      const stateDirectory = this.#stateDirectory;
      this.#swtpm = await Swtpm.start({ stateDirectory });
      return this.#swtpm.address;
    });
  }

  /** Hangs up on all clients and shuts the TPM down. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]();
    await this.#swtpm.stop();
  }
}
