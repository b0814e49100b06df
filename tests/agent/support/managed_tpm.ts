/**
 * A TPM behind what the kernel has in front of it, and what the chip then does
 * for each of the agent's commands.
 *
 * @module
 */

import { readIdentity, Tpm, type TpmOptions } from "../../../tpm/mod.ts";
import { ResourceManager } from "../../lab/resource_manager.ts";
import { BareTpm } from "./bare_tpm.ts";

/** A command of the agent, and how many the chip made of it. */
export type Sent = readonly [name: string, atChip: number];

/** A new TPM behind a resource manager. */
export class ManagedTpm implements AsyncDisposable {
  /** The TPM itself. */
  readonly lab: BareTpm;
  readonly #manager: ResourceManager;
  #sent: Sent[] = [];

  private constructor(lab: BareTpm) {
    this.lab = lab;
    this.#manager = new ResourceManager((bytes) => lab.mux.transmit(bytes));
  }

  /** Makes one and powers it. */
  static async make(): Promise<ManagedTpm> {
    return new ManagedTpm(await BareTpm.make());
  }

  /** A client as the agent has it of `/dev/tpmrm0`. */
  async client(): Promise<Tpm> {
    const options: TpmOptions = {
      bare: this.#manager.open(),
      onCommand: ({ name }) => {
        this.#sent.push([name, this.#total]);
        this.lab.mux.reset();
      },
    };
    const tpm = new Tpm(this.#manager.open(), options);
    // The manager's own first look at the TPM is not the agent's.
    await readIdentity(tpm);
    return tpm;
  }

  get #total(): number {
    return [...this.lab.mux.counts.values()].reduce((sum, n) => sum + n, 0);
  }

  /** What `work` sends, and what it costs. */
  async during(work: () => Promise<unknown>): Promise<readonly Sent[]> {
    this.lab.mux.reset();
    this.#sent = [];
    await work();
    return [...this.#sent];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.lab[Symbol.asyncDispose]();
  }
}

/** How many commands the chip executed in all. */
export function costOf(sent: readonly Sent[]): number {
  return sent.reduce((sum, [, atChip]) => sum + atChip, 0);
}
