/**
 * `./dev demo`: a machine is registered, enrolled and attested by the real
 * Keylime, until a file that nobody allowed runs on it.
 *
 * @module
 */

import { Lab } from "./lab.ts";
import { createRuntimePolicy } from "./policies.ts";
import { setUpLab } from "./setup.ts";

const QUOTES = 10;
const INTRUDER = "/usr/bin/intruder";

let began = performance.now();

/** Prints a line with the time since the demo began. */
function tell(line: string): void {
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(5);
  const bytes = new TextEncoder().encode(`${seconds} s  ${line}\n`);
  Deno.stdout.writeSync(bytes);
}

await setUpLab(tell);
began = performance.now();
tell("starting Keylime's registrar and verifier");
{
  await using lab = await Lab.start({ verifier: { quote_interval: 1 } });
  tell("registrar and verifier are up");

  await using machine = await lab.machine();
  tell("TPM is up: swtpm, its endorsement key certified by the lab's CA");
  const programs = ["/usr/bin/bash", "/usr/bin/sshd", "/usr/sbin/chronyd"];
  for (const path of programs) await machine.ima.append(path, path);
  tell(`machine has booted: IMA lists ${machine.ima.entryCount} files`);

  await using agent = await machine.agent(lab.keylime);
  await agent.start();
  tell(`agent ${agent.uuid} registered: its keys are in this TPM`);

  const policy = await createRuntimePolicy(lab.directory.path("policy.json"), {
    measurementList: machine.ima.file,
  });
  await lab.tenant("add", agent, ["--runtime-policy", policy]);
  tell("tenant checked EK certificate and quote, and enrolled the agent");

  machine.tpm.mux.reset();
  for (let quote = 1; quote <= QUOTES; quote++) {
    const known = await lab.attested(agent, 1);
    tell(
      `verifier says ${known.attestation_status}: quote ${known.attestation_count} verified`,
    );
  }
  const commands = [...machine.tpm.mux.counts.values()]
    .reduce((sum, count) => sum + count, 0);
  tell(`the TPM executed ${commands} commands meanwhile`);

  await machine.ima.append(INTRUDER, "nobody allowed this");
  tell(`an unknown file runs: ${INTRUDER}`);
  const verdict = await lab.failed(agent);
  tell(`verifier says ${verdict.attestation_status}: ${verdict.last_event_id}`);
  const reason = (await lab.keylime.verifier.log()).split("\n")
    .find((line) => line.includes(INTRUDER));
  tell(`its log: ${reason?.replace(/^.* - (?=[A-Z]+ - )/, "")}`);
}
tell("everything has been stopped");
