/**
 * A software TPM of one test: new, with nothing in it but what the test puts
 * there, and watched while the agent's code uses it.
 *
 * @module
 */

import { flushLeftovers, readHandles, Tpm } from "../../../tpm/mod.ts";
import { runOk } from "../../lab/command.ts";
import { LabDirectory } from "../../lab/lab_directory.ts";
import { Swtpm } from "../../lab/swtpm.ts";
import type { TpmAddress } from "../../lab/tpm_address.ts";
import { TpmMux } from "../../lab/tpm_mux.ts";

/** First handles of what a client may leave behind in a TPM. */
const LEAVINGS = {
  transient: 0x8000_0000,
  loadedSession: 0x0200_0000,
  savedSession: 0x0300_0000,
};

/** A powered TPM and the agent's client of it. */
export class BareTpm implements AsyncDisposable {
  /** What its clients go through. */
  readonly mux: TpmMux;
  /** The client under test; names of its commands go to `commands`. */
  readonly tpm: Tpm;
  /** Part 3 names of the answered commands, in order. */
  readonly commands: string[] = [];
  readonly #place: LabDirectory;
  #swtpm: Swtpm;

  private constructor(place: LabDirectory, swtpm: Swtpm) {
    this.#place = place;
    this.#swtpm = swtpm;
    this.mux = TpmMux.listen(swtpm.address);
    this.tpm = this.client();
  }

  /** Makes one and powers it. */
  static async make(): Promise<BareTpm> {
    const place = await LabDirectory.make();
    const stateDirectory = place.path("tpm");
    await Deno.mkdir(stateDirectory);
    return new BareTpm(place, await Swtpm.start({ stateDirectory }));
  }

  /** Switches it off and on again; clients stay connected. */
  async restart(): Promise<void> {
    await this.mux.replace(async () => {
      await this.#swtpm.stop();
      const stateDirectory = this.#place.path("tpm");
      this.#swtpm = await Swtpm.start({ stateDirectory });
      return this.#swtpm.address;
    });
  }

  /** A directory for the test's files. */
  get directory(): string {
    return this.#place.root;
  }

  /** Another client of the same TPM, which its user disposes of. */
  client(): Tpm {
    return new Tpm({
      target: "the test's TPM",
      hasResourceManager: false,
      transmit: (command) => this.mux.transmit(command),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }, { onCommand: ({ name }) => this.commands.push(name) });
  }

  /** Where the TPM itself listens; the multiplexer occupies it. */
  get address(): TpmAddress {
    return this.#swtpm.address;
  }

  /** Its address for programs. */
  get tcti(): string {
    return this.mux.tcti;
  }

  /** Path of `name` in the test's directory. */
  path(name: string): string {
    return this.#place.path(name);
  }

  /** Runs one of tpm2-tools and removes what it leaves behind. */
  async tool(...argv: readonly string[]): Promise<string> {
    const output = await runOk(argv, { env: { TPM2TOOLS_TCTI: this.tcti } });
    await flushLeftovers(this.tpm);
    return output;
  }

  /** The commands that `work` sends. */
  async during(work: () => Promise<unknown>): Promise<string[]> {
    const before = this.commands.length;
    await work();
    return this.commands.slice(before);
  }

  /** Handles of all loaded objects and sessions. */
  async leavings(): Promise<number[]> {
    const handles: number[] = [];
    for (const first of Object.values(LEAVINGS)) {
      handles.push(...await readHandles(this.tpm, first));
    }
    return handles;
  }

  /** Lets the TPM refuse each command with that code by `responseCode`. */
  refuse(commandCode: number, responseCode: number): void {
    this.mux.intercept = (command) =>
      codeOf(command) === commandCode ? refusal(responseCode) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tpm[Symbol.asyncDispose]();
    await this.mux[Symbol.asyncDispose]();
    await this.#swtpm.stop();
    await this.#place[Symbol.asyncDispose]();
  }
}

/** The command code of a whole command. */
export function codeOf(command: Uint8Array): number {
  return new DataView(command.buffer, command.byteOffset).getUint32(6);
}

/** A response that says `responseCode` and nothing else. */
export function refusal(responseCode: number): Uint8Array {
  const response = Uint8Array.fromHex("80010000000a00000000");
  new DataView(response.buffer).setUint32(6, responseCode);
  return response;
}
