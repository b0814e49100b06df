/**
 * A lab machine from its firmware to its agent: a TPM, a boot that leaves an
 * event log, a kernel with IMA, and on top our agent.
 *
 * @module
 */

import { type AgentOptions, LabAgent, newAgentId } from "./agent.ts";
import type { EkCa } from "./ek_ca.ts";
import { boot, parseEventLog, replay } from "./event_log.ts";
import { bootAggregate, ImaEmulator } from "./ima_emulator.ts";
import type { ControlPlane } from "./keylime.ts";
import { LabTpm } from "./lab_tpm.ts";
import type { Bank } from "./pcr_bank.ts";

/** How a machine is made. */
export interface MachineOptions {
  /** Who certifies its TPM's endorsement keys. */
  readonly ca: EkCa;
  /** Recorded event log that its boot follows; without one PCR 0-9 stay zero. */
  readonly eventLog?: string;
  /** Its TPM's banks; all four unless told. */
  readonly banks?: readonly Bank[];
}

/** How the agent on a machine is set up, beyond what the machine gives it. */
export interface MachineAgentOptions {
  /** Agent options besides the paths of the logs. */
  readonly options?: AgentOptions;
  /** Environment variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** A second agent's directory, if there is more than one on the machine. */
  readonly directory?: string;
  /** Its id; a new one unless told. */
  readonly uuid?: string;
}

/** A machine that has booted. */
export class Machine implements AsyncDisposable {
  readonly tpm: LabTpm;
  readonly ima: ImaEmulator;
  /** File with its measured-boot log, if its boot was measured. */
  readonly bootLog: string | undefined;
  readonly #directory: string;

  private constructor(
    directory: string,
    parts: { tpm: LabTpm; ima: ImaEmulator; bootLog: string | undefined },
  ) {
    this.#directory = directory;
    this.tpm = parts.tpm;
    this.ima = parts.ima;
    this.bootLog = parts.bootLog;
  }

  /** Makes one with its files in the new `directory`, and boots it. */
  static async boot(
    directory: string,
    { ca, eventLog, banks }: MachineOptions,
  ): Promise<Machine> {
    await Deno.mkdir(directory, { mode: 0o700 });
    const tpm = await LabTpm.make(`${directory}/tpm`, {
      ca,
      ...(banks === undefined ? {} : { banks }),
    });
    try {
      return await Machine.#start(directory, tpm, eventLog);
    } catch (error) {
      await tpm[Symbol.asyncDispose]();
      throw error;
    }
  }

  static async #start(
    directory: string,
    tpm: LabTpm,
    eventLog: string | undefined,
  ): Promise<Machine> {
    const events = eventLog === undefined
      ? []
      : parseEventLog(await Deno.readFile(eventLog));
    await boot(events, tpm.banks, tpm.extend);
    const pcrs = replay(events).get("sha256") ?? new Map();
    const bootLog = eventLog === undefined
      ? undefined
      : `${directory}/boot_log`;
    if (eventLog !== undefined && bootLog !== undefined) {
      await Deno.copyFile(eventLog, bootLog);
    }
    const ima = await ImaEmulator.start({
      file: `${directory}/ascii_runtime_measurements`,
      banks: tpm.banks,
      extend: tpm.extend,
      bootAggregate: bootAggregate("sha256", pcrs),
    });
    return new Machine(directory, { tpm, ima, bootLog });
  }

  /** The agent on this machine, not yet running. */
  async agent(
    controlPlane: ControlPlane,
    setUp: MachineAgentOptions = {},
  ): Promise<LabAgent> {
    const directory = setUp.directory ?? `${this.#directory}/agent`;
    return await LabAgent.create(directory, {
      tcti: this.tpm.tcti,
      controlPlane,
      uuid: setUp.uuid ?? newAgentId(),
      options: {
        ima_ml_path: this.ima.file,
        ...(this.bootLog === undefined
          ? {}
          : { measuredboot_ml_path: this.bootLog }),
        ...setUp.options,
      },
      ...(setUp.env === undefined ? {} : { env: setUp.env }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tpm[Symbol.asyncDispose]();
  }
}
