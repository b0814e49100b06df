/**
 * The parties of one run: a control plane on this side, and a virtual machine
 * with the package in it on the other.
 *
 * @module
 */

import { buildPackages } from "../../packaging/rpm.ts";
import { vendor, VENDOR_ARCHIVE } from "../../packaging/vendor.ts";
import { newAgentId } from "../lab/agent.ts";
import { type EnrolledAgent, Lab } from "../lab/lab.ts";
import type { WaitOptions } from "../lab/wait.ts";
import type { Guest } from "./guest.ts";
import { ensureImage } from "./image.ts";
import { makeVarDisk, RootDisk } from "./root_disk.ts";
import { type MachineParts, VirtualMachine } from "./virtual_machine.ts";

/** Emulated machines are slow, and this one may share its processors. */
export const PATIENCE: Required<WaitOptions> = {
  timeoutMs: 300_000,
  everyMs: 250,
};

/** Where the machine has the next release's package. */
export const UPDATE = "/var/tmp/update.rpm";

/** The unit that the package is about. */
export const UNIT = "keylime_agent.service";

/** The verifier's way of asking: often, and with patience over a reboot. */
const VERIFIER = {
  quote_interval: 0.02,
  request_timeout: 60,
  retry_interval: 1,
  max_retries: 600,
  measured_boot_policy_name: "example",
  measured_boot_evaluate: "always",
};

/** The packages of one release. */
interface Packages {
  readonly agent: string;
  readonly imaPolicy: string;
}

/** A machine with the agent's package installed, not yet booted. */
export class AttestedMachine implements AsyncDisposable {
  readonly lab: Lab;
  readonly machine: VirtualMachine;
  /** Its root file system, as it is while the machine is off. */
  readonly root: RootDisk;
  /** The installed release. */
  readonly packages: Packages;
  /** The agent in it. */
  readonly agent: EnrolledAgent;
  readonly #resources: AsyncDisposableStack;

  private constructor(
    resources: AsyncDisposableStack,
    parts: Pick<AttestedMachine, "lab" | "machine" | "root" | "packages">,
  ) {
    this.#resources = resources;
    this.lab = parts.lab;
    this.machine = parts.machine;
    this.root = parts.root;
    this.packages = parts.packages;
    this.agent = { uuid: newAgentId(), log: () => this.journal() };
  }

  /** Builds two releases of the package and a machine with the first. */
  static async make(
    say: (line: string) => void,
    options: Pick<MachineParts, "isTpmLogged"> = {},
  ): Promise<AttestedMachine> {
    await using made = new AsyncDisposableStack();
    const image = await ensureImage(say);
    const lab = made.use(
      await Lab.start({
        verifier: VERIFIER,
        tenant: { request_timeout: 60, max_retries: 10 },
      }),
    );
    const { directory, ca } = lab;
    await vendor();
    say("Building two releases of the package");
    const [packages, update] = await Promise.all([
      build(directory.path("release-1"), "1"),
      build(directory.path("release-2"), "2"),
    ]);
    const root = await RootDisk.copy(image.root, directory.path("root"));
    await root.install([packages.agent]);
    await root.write();
    const disks = {
      boot: directory.path("boot.img"),
      root: root.disk,
      var: directory.path("var.img"),
    };
    await Deno.copyFile(image.bootDisk, disks.boot);
    await makeVarDisk(disks.var, {
      [UPDATE.slice("/var/".length)]: update.agent,
    });
    const machine = made.use(
      await VirtualMachine.make(directory.path("machine"), {
        ca,
        disks,
        ...options,
      }),
    );
    const parts = { lab, machine, root, packages };
    return new AttestedMachine(made.move(), parts);
  }

  /** The machine that runs now. */
  get guest(): Guest {
    return this.machine.guest;
  }

  /** What the agent wrote to the journal, over all boots. */
  async journal(): Promise<string> {
    const { stdout, stderr } = await this.guest.run([
      ...["journalctl", "--no-pager", "--output=short-monotonic"],
      ...[`--unit=${UNIT}`],
    ]);
    return stdout + stderr;
  }

  /** A property of the agent's unit. */
  async property(name: string): Promise<string> {
    return await this.guest.ok([
      ...["systemctl", "show", "--value", "-p", name, UNIT],
    ]);
  }

  /** Ends everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

async function build(
  output: string,
  release: string,
): Promise<Packages> {
  const files = await buildPackages({
    output,
    release,
    deno: Deno.execPath(),
    denort: Deno.env.get("DENORT_BIN"),
    dependencies: VENDOR_ARCHIVE,
    say: () => {},
  });
  const find = (pattern: RegExp): string => {
    const file = files.find((path) => pattern.test(path));
    if (file === undefined) throw new Error(`No ${pattern} among: ${files}`);
    return file;
  };
  return {
    agent: find(/\/deno-keylime-\d[^/]*\.x86_64\.rpm$/),
    imaPolicy: find(/\/deno-keylime-ima-policy-[^/]*\.noarch\.rpm$/),
  };
}
