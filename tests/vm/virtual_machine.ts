/**
 * A machine with UEFI firmware, Secure Boot, a TPM device and a real kernel, in
 * QEMU, without help from the processor (KVM): slow, but the same everywhere.
 *
 * @module
 */

import type { EkCa } from "../lab/ek_ca.ts";
import { freePorts } from "../lab/ports.ts";
import { LabProcess } from "../lab/process.ts";
import { manufacture } from "../lab/swtpm.ts";
import { exists } from "../lab/tools.ts";
import { within } from "../lab/wait.ts";
import { chipLogOption, countCommands } from "./chip_log.ts";
import { Guest } from "./guest.ts";
import { FIRMWARE } from "./requirements.ts";

/** How long it may take from power-on to the first command. */
const BOOT_MS = 300_000;

/** How long it may take to shut down. */
const SHUTDOWN_MS = 120_000;

/** What a machine is made of. */
export interface MachineParts {
  /** Who certifies its TPM. */
  readonly ca: EkCa;
  /** Whether the TPM's log has every command's bytes. */
  readonly isTpmLogged?: boolean;
  /** Raw disks: the one that it boots from, its root, and its /var. */
  readonly disks: {
    readonly boot: string;
    readonly root: string;
    readonly var: string;
  };
}

/** The address at which a machine reaches the host's loopback interface. */
export const HOST = "10.0.2.2";

/** One machine over any number of boots, with its TPM, firmware and disks. */
export class VirtualMachine implements AsyncDisposable {
  /** Port of 127.0.0.1 that leads to port 9002 of the machine. */
  readonly agentPort = freePorts();
  readonly #directory: string;
  readonly #parts: MachineParts;
  #boots = 0;
  #power: AsyncDisposableStack | undefined;
  #qemu: LabProcess | undefined;
  #guest: Guest | undefined;

  private constructor(directory: string, parts: MachineParts) {
    this.#directory = directory;
    this.#parts = parts;
  }

  /** Makes one in the new `directory`, switched off. */
  static async make(
    directory: string,
    parts: MachineParts,
  ): Promise<VirtualMachine> {
    await Deno.mkdir(directory);
    const machine = new VirtualMachine(directory, parts);
    await manufacture(machine.#tpm, { ca: parts.ca, banks: ["sha256"] });
    await Deno.copyFile(FIRMWARE.variables, machine.#variables);
    return machine;
  }

  get #tpm(): string {
    return `${this.#directory}/tpm`;
  }

  get #variables(): string {
    return `${this.#directory}/firmware-variables`;
  }

  get #chipLog(): string {
    return `${this.#directory}/chip.log`;
  }

  /** The commands that its TPM executes during `work`, by their names. */
  async chipCommands(
    work: () => Promise<unknown>,
  ): Promise<ReadonlyMap<string, number>> {
    const { size } = await Deno.stat(this.#chipLog);
    await work();
    return await countCommands(this.#chipLog, size);
  }

  /** File with what this boot, or the last one, wrote to the console. */
  get console(): string {
    return `${this.#directory}/console-${this.#boots}.log`;
  }

  /** The machine that runs now. */
  get guest(): Guest {
    if (this.#guest === undefined) throw new Error("The machine is off");
    return this.#guest;
  }

  /**
   * Switches it on; resolves when it runs commands.
   *
   * @throws Error with the end of its console when it does not get there
   */
  async powerOn(): Promise<Guest> {
    this.#boots++;
    await using power = new AsyncDisposableStack();
    const tpmSocket = `${this.#tpm}/control`;
    power.use(await this.#startTpm(tpmSocket));
    const control = `${this.#directory}/control-${this.#boots}`;
    const qemu = power.use(
      await LabProcess.start(this.#qemuArguments(tpmSocket, control), {
        name: "qemu",
        logFile: `${this.#directory}/qemu.log`,
        ready: () => exists(control),
      }),
    );
    const guest = power.use(await Guest.connect(control));
    const died = qemu.exited.then(() => {
      throw new Error(`QEMU ended`);
    });
    try {
      await within(BOOT_MS, Promise.race([guest.ready, died]));
    } catch (cause) {
      const said = `${await qemu.log()}${await this.consoleTail()}`;
      throw new Error(`The machine did not boot:\n${said}`, { cause });
    }
    died.catch(() => {}); // from now on it may
    this.#qemu = qemu;
    this.#guest = guest;
    this.#power = power.move();
    return guest;
  }

  async #startTpm(socket: string): Promise<LabProcess> {
    await Deno.remove(socket).catch(() => {}); // left by the last boot
    return await LabProcess.start([
      ...["swtpm", "socket", "--tpm2", "--tpmstate", `dir=${this.#tpm}`],
      ...["--ctrl", `type=unixio,path=${socket}`],
      ...(this.#parts.isTpmLogged ? chipLogOption(this.#chipLog) : []),
    ], {
      name: "swtpm",
      logFile: `${this.#directory}/swtpm.log`,
      ready: () => exists(socket),
    });
  }

  #qemuArguments(tpmSocket: string, control: string): string[] {
    const { boot, root, var: varDisk } = this.#parts.disks;
    const disk = (file: string, id: string, index: number): string[] => [
      ...["-drive", `if=none,id=${id},format=raw,file=${file},cache=unsafe`],
      ...["-device", `virtio-blk-pci,drive=${id},bootindex=${index}`],
    ];
    return [
      ...["qemu-system-x86_64", "-machine", "q35,smm=on"],
      ...["-accel", "tcg,thread=multi", "-cpu", "max"],
      ...["-m", "1024", "-smp", "2", "-no-reboot", "-nodefaults"],
      ...["-display", "none", "-serial", `file:${this.console}`],
      ...firmware(this.#variables),
      ...["-chardev", `socket,id=tpm,path=${tpmSocket}`],
      ...["-tpmdev", "emulator,id=tpm0,chardev=tpm"],
      ...["-device", "tpm-crb,tpmdev=tpm0"],
      ...disk(boot, "boot", 0),
      ...disk(root, "root", 1),
      ...disk(varDisk, "var", 2),
      ...["-netdev", `user,id=net,${this.#forward}`],
      ...["-device", "virtio-net-pci,netdev=net,romfile="],
      ...["-chardev", `socket,id=port,path=${control},server=on,wait=off`],
      ...["-device", "virtio-serial-pci"],
      ...["-device", "virtserialport,chardev=port,name=control"],
    ];
  }

  get #forward(): string {
    return `hostfwd=tcp:127.0.0.1:${this.agentPort}-:9002`;
  }

  /** Resolves when the machine has shut itself down or rebooted; it is off. */
  async poweredOff(): Promise<void> {
    if (this.#qemu !== undefined) {
      await within(SHUTDOWN_MS, this.#qemu.exited);
    }
    await this[Symbol.asyncDispose]();
  }

  /** The last of what it wrote to its console. */
  async consoleTail(): Promise<string> {
    const text = await Deno.readTextFile(this.console).catch(() => "");
    return text.slice(-6000);
  }

  /** Cuts the power, if it is on. */
  async [Symbol.asyncDispose](): Promise<void> {
    const power = this.#power;
    this.#power = this.#qemu = this.#guest = undefined;
    await power?.disposeAsync();
  }
}

/** Variables of Secure Boot may only be written in system management mode. */
function firmware(variables: string): string[] {
  const flash = (unit: number, options: string): string[] => [
    "-drive",
    `if=pflash,format=raw,unit=${unit},${options}`,
  ];
  return [
    ...["-global", "driver=cfi.pflash01,property=secure,value=on"],
    ...["-global", "ICH9-LPC.disable_s3=1"],
    ...flash(0, `readonly=on,file=${FIRMWARE.code}`),
    ...flash(1, `file=${variables}`),
  ];
}
