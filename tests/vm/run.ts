/**
 * `./dev test:vm`: the package in a virtual machine, from its installation to
 * its removal, with the real control plane outside.
 *
 * @module
 */

import { setUpLab } from "../lab/setup.ts";
import { conclude, type Counts, say, tests } from "../test_run.ts";
import { reasonToSkip, setUpVm } from "./requirements.ts";

async function main(): Promise<Counts> {
  const reason = await reasonToSkip();
  if (reason !== undefined) {
    say(`The virtual machine is skipped: ${reason}`);
    return { passed: 0, failed: 0, skipped: 1 };
  }
  await setUpLab(say);
  await setUpVm(say);
  return await tests("virtual machine", ["tests/vm/machine_test.ts"], {
    flags: [],
  });
}

conclude([await main()]);
