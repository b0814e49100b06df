/**
 * `./dev test:vm`: the package in a virtual machine, from its installation to
 * its removal, with the real control plane outside.
 *
 * @module
 */

import { setUpLab } from "../lab/setup.ts";
import { conclude, type Counts, say, tests } from "../test_run.ts";
import { reasonToSkip, setUpVm } from "./requirements.ts";

/** Runs the proof where it can run, and says why where it cannot. */
export async function testVirtualMachine(): Promise<Counts> {
  const reason = await reasonToSkip();
  if (reason !== undefined) {
    say(`The virtual machine is skipped: ${reason}`);
    return { passed: 0, failed: 0, skipped: 1 };
  }
  await setUpVm(say);
  return await tests("virtual machine", ["tests/vm/machine_test.ts"], {
    flags: [],
  });
}

if (import.meta.main) {
  await setUpLab(say);
  conclude([await testVirtualMachine()]);
}
