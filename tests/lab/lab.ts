/**
 * A whole Keylime on this machine: the control plane, a maker of TPMs that it
 * trusts, and as many machines as a test wants. All of it ends with its scope.
 *
 * @module
 */

import { EkCa } from "./ek_ca.ts";
import { ControlPlane, type VerifierAgent } from "./keylime.ts";
import type { ConfigOverrides, Options } from "./keylime_config.ts";
import { LabDirectory } from "./lab_directory.ts";
import { Machine, type MachineOptions } from "./machine.ts";
import { waitFor, type WaitOptions } from "./wait.ts";

/** The verifier's states that tests wait for. Keylime, `states.py`. */
export const STATE = {
  getQuote: 3,
  failed: 7,
  invalidQuote: 9,
} as const;

/** What the verifier logs when it has found a fault with a quote. */
export const FIRST_FAILURE =
  /failed, stopping polling|INVALID_QUOTE|Failure ID/i;

/** An agent as the control plane knows it, wherever it runs. */
export interface EnrolledAgent {
  readonly uuid: string;
  /** Everything it wrote. */
  log(): Promise<string>;
}

/** A running lab. */
export class Lab implements AsyncDisposable {
  readonly directory: LabDirectory;
  /** Makes the lab's TPMs; the tenant trusts it. */
  readonly ca: EkCa;
  readonly keylime: ControlPlane;
  readonly #resources: AsyncDisposableStack;
  #machines = 0;

  private constructor(
    resources: AsyncDisposableStack,
    parts: { directory: LabDirectory; ca: EkCa; keylime: ControlPlane },
  ) {
    this.#resources = resources;
    this.directory = parts.directory;
    this.ca = parts.ca;
    this.keylime = parts.keylime;
  }

  /** Starts the control plane. */
  static async start(overrides: ConfigOverrides = {}): Promise<Lab> {
    await using started = new AsyncDisposableStack();
    const directory = started.use(await LabDirectory.make());
    const ca = await EkCa.create(directory.path("ca"));
    const keylime = started.use(
      await ControlPlane.start(directory.path("keylime"), {
        ...overrides,
        trustedTpmMakers: [ca.certificate],
      }),
    );
    return new Lab(started.move(), { directory, ca, keylime });
  }

  /** Boots a new machine. */
  async machine(options: Partial<MachineOptions> = {}): Promise<Machine> {
    const path = this.directory.path(`machine-${++this.#machines}`);
    return await Machine.boot(path, { ca: this.ca, ...options });
  }

  /**
   * Runs the tenant's `command` for `agent`.
   *
   * @throws Error with its output if it fails
   */
  async tenant(
    command: string,
    agent: EnrolledAgent,
    args: readonly string[] = [],
    options: Options = {},
  ): Promise<string> {
    const { code, stdout, stderr } = await this.keylime.tenant([
      ...["-v", "127.0.0.1", "-t", "127.0.0.1", "-u", agent.uuid],
      ...["-c", command, ...args],
    ], options);
    if (code !== 0) {
      throw new Error(
        `keylime_tenant -c ${command} ended with ${code}:\n${stdout}${stderr}\n` +
          `The agent's log:\n${await agent.log()}`,
      );
    }
    return stdout;
  }

  /**
   * Resolves with what the verifier knows of `agent` once `isSo` of it.
   *
   * @throws Error with the logs when that does not come
   */
  async verifierSays(
    agent: EnrolledAgent,
    what: string,
    isSo: (known: VerifierAgent) => boolean,
    options: WaitOptions = {},
  ): Promise<VerifierAgent> {
    let last: VerifierAgent | undefined;
    try {
      return await waitFor(`the verifier to say: ${what}`, async () => {
        last = await this.keylime.verifierAgent(agent.uuid);
        return last !== undefined && isSo(last) ? last : undefined;
      }, options);
    } catch (error) {
      const log = await this.keylime.verifier.log();
      throw new Error(
        `The verifier knows ${JSON.stringify(last)}; its log ends with:\n${
          log.slice(-3000)
        }\nThe agent's with:\n${(await agent.log()).slice(-2000)}`,
        { cause: error },
      );
    }
  }

  /** Resolves after `count` more successful attestations of `agent`. */
  async attested(
    agent: EnrolledAgent,
    count: number,
    options: WaitOptions = {},
  ): Promise<VerifierAgent> {
    const now = await this.keylime.verifierAgent(agent.uuid);
    const wanted = (now?.attestation_count ?? 0) + count;
    return await this.verifierSays(
      agent,
      `${wanted} attestations`,
      (known) => {
        if ((known.operational_state ?? 0) >= STATE.failed) {
          throw new Error(`Attestation failed: ${known.last_event_id}`);
        }
        return known.attestation_count >= wanted;
      },
      options,
    );
  }

  /** Resolves when the verifier has found `agent` wanting. */
  async failed(
    agent: EnrolledAgent,
    options: WaitOptions = {},
  ): Promise<VerifierAgent> {
    return await this.verifierSays(
      agent,
      "a failed attestation",
      (known) => (known.operational_state ?? 0) >= STATE.failed,
      options,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}
