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
  /** A directory for the test's files. */
  readonly directory: string;
  readonly #opened: AsyncDisposableStack;

  private constructor(
    mux: TpmMux,
    directory: string,
    opened: AsyncDisposableStack,
  ) {
    this.mux = mux;
    this.directory = directory;
    this.#opened = opened;
    this.tpm = opened.use(this.client());
  }

  /** Makes one and powers it. */
  static async make(): Promise<BareTpm> {
    await using opened = new AsyncDisposableStack();
    const { root } = opened.use(await LabDirectory.make());
    const stateDirectory = `${root}/tpm`;
    await Deno.mkdir(stateDirectory);
    const swtpm = opened.use(await Swtpm.start({ stateDirectory }));
    const mux = opened.use(TpmMux.listen(swtpm.address));
    return new BareTpm(mux, root, opened.move());
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

  /** Its address for programs. */
  get tcti(): string {
    return this.mux.tcti;
  }

  /** Path of `name` in the test's directory. */
  path(name: string): string {
    return `${this.directory}/${name}`;
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
    await this.#opened.disposeAsync();
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
