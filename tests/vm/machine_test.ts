import process from "node:process";
import { AttestedMachine } from "./attested_machine.ts";
import * as enrolment from "./enrolment.ts";
import * as firstBoot from "./first_boot.ts";
import * as measures from "./measures.ts";
import * as packageLife from "./package_life.ts";
import { reasonToSkip } from "./requirements.ts";
import * as secondBoot from "./second_boot.ts";

const SKIP = await reasonToSkip();

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** What helps to understand a failure. */
async function diagnosis(all: AttestedMachine): Promise<string> {
  const journal = await all.guest.run([
    ...["journalctl", "--no-pager", "--lines=60"],
  ], 60_000).then(({ stdout }) => stdout).catch(String);
  return `The journal ends with:\n${journal}\nThe console with:\n${await all
    .machine.consoleTail()}`;
}

Deno.test({
  name: "the package makes a machine attestable, from installation to removal",
  ignore: SKIP !== undefined,
  fn: async (t) => {
    const table: measures.Measure[] = [];
    const began = performance.now();
    await using all = await AttestedMachine.make(say);
    say(`Made after ${Math.round((performance.now() - began) / 1000)} s`);
    let plan: enrolment.Enrolment = { args: [] };
    const steps: Readonly<Record<string, () => Promise<unknown>>> = {
      "it boots, measured, with the package installed": () =>
        firstBoot.bootsUp(all),
      "the package's files, accounts and device are as packaged": () =>
        firstBoot.isInstalled(all),
      "configured by the manual, it is active without a registrar":
        async () => {
          await firstBoot.configure(all);
          await firstBoot.startsAlone(all);
          table.push(await measures.startUp(all, "first start"));
        },
      "it registers once there is a registrar": () => firstBoot.registers(all),
      "its process has no privileges": async () => {
        await firstBoot.hasNoPrivileges(all);
        await firstBoot.logsInOrder(all);
        table.push(await measures.memory(all, "idle, registered"));
      },
      "the tenant enrols it, with measured boot and runtime policies":
        async () => {
          plan = await enrolment.prepare(all);
          await enrolment.enrols(all, "add", plan);
        },
      "its payload's script runs": () => enrolment.payloadRan(all),
      "hundreds of polls pass while it runs programs": async () => {
        await enrolment.staysAttested(all, () => measures.askForQuotes(all));
        table.push(await measures.memory(all, "after 1,000 quotes"));
      },
      "it reboots, and is attested again without help": async () => {
        await secondBoot.comesBack(all);
        table.push(await measures.startUp(all, "at boot"));
      },
      "the kernel goes by the policy of the package for it": () =>
        secondBoot.usesOwnImaPolicy(all),
      "the tenant delivers the payload again": async () => {
        await enrolment.enrols(all, "update", plan);
        await enrolment.payloadRan(all);
      },
      "a new program fails it, and the revocation action runs": () =>
        secondBoot.isRevoked(all),
      "the next release takes over with all it knows": async () => {
        await packageLife.shortenWatchdog(all);
        await packageLife.isUpdated(all);
      },
      "systemd's watchdog starts it anew when it hangs": () =>
        packageLife.watchdogBites(all),
      "removed, it leaves what it should": async () => {
        table.unshift(...await measures.sizes(all));
        await packageLife.isRemoved(all);
      },
    };
    for (const [name, step] of Object.entries(steps)) {
      const passed = await t.step(name, async () => {
        try {
          await step();
        } catch (error) {
          say(await diagnosis(all));
          throw error;
        }
      });
      // Each step needs what the one before has left.
      if (!passed) return;
    }
    say(measures.table(table));
  },
});
