/**
 * The TPM of one lab machine: made, powered and shared by everything on it.
 *
 * @module
 */

import { manufacture, type ManufactureOptions, Swtpm } from "./swtpm.ts";
import { TpmMux } from "./tpm_mux.ts";

/** A TPM whose address survives power cycles, as that of a real one does. */
export class LabTpm implements AsyncDisposable {
  /** What all clients go through. */
  readonly mux: TpmMux;
  readonly #stateDirectory: string;
  #swtpm: Swtpm;

  private constructor(stateDirectory: string, swtpm: Swtpm) {
    this.#stateDirectory = stateDirectory;
    this.#swtpm = swtpm;
    this.mux = TpmMux.listen(swtpm.address);
  }

  /** Makes a new TPM with its state in the new `stateDirectory`, powered. */
  static async make(
    stateDirectory: string,
    options: ManufactureOptions,
  ): Promise<LabTpm> {
    await manufacture(stateDirectory, options);
    return new LabTpm(stateDirectory, await Swtpm.start({ stateDirectory }));
  }

  /** Its address as a TCTI string of tpm2-tss, for tpm2-tools and agents. */
  get tcti(): string {
    return this.mux.tcti;
  }

  /** Process id of the simulator that runs now. */
  get pid(): number {
    return this.#swtpm.pid;
  }

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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mux[Symbol.asyncDispose]();
    await this.#swtpm.stop();
  }
}
