import assert from "node:assert/strict";
import type { CommandOutput } from "../lab/command.ts";
import { runAgent } from "./support/agent_process.ts";
import { BareTpm } from "./support/bare_tpm.ts";
import { occupy, persistentHandles } from "./support/persistent_handles.ts";
import { startAgent } from "./support/start.ts";

const HANDLE = 0x8108_0001;
const AK_HANDLE = "0x81080001";

/** Runs `keylime_agent --evict-ak` for the agent whose files are in `lab`. */
function evictAk(lab: BareTpm, handle = AK_HANDLE): Promise<CommandOutput> {
  return runAgent(lab.directory, {
    options: { ak_handle: handle },
    env: { TCTI: lab.tcti },
    args: ["--evict-ak"],
  });
}

/** Starts the agent once, with its key at {@linkcode HANDLE}. */
async function startOnce(lab: BareTpm): Promise<string> {
  await using agent = await startAgent(lab, {
    tpm: lab.tpm,
    options: [`ak_handle = "${AK_HANDLE}"`],
  });
  return agent.identity.ak.name.toHex();
}

function failedLike(
  { code, stdout, stderr }: CommandOutput,
  want: RegExp,
): void {
  assert.equal(code, 78, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, want);
}

Deno.test("--evict-ak removes the agent's key from the TPM, and only there", async (t) => {
  await using lab = await BareTpm.make();
  const name = await startOnce(lab);
  assert.deepEqual(await persistentHandles(lab.tpm), [HANDLE]);
  await t.step("the key", async () => {
    const { code, stdout, stderr } = await evictAk(lab);
    assert.equal(code, 0, stderr);
    assert.equal(
      stdout,
      `Evicted the attestation key from ${AK_HANDLE}; it stays in ` +
        `${lab.path("agent_data.json")}\n`,
    );
    assert.deepEqual(await persistentHandles(lab.tpm), []);
  });
  await t.step("nothing, once it is gone", async () => {
    const { code, stdout } = await evictAk(lab);
    assert.equal(code, 0);
    assert.equal(stdout, `There is no key at ${AK_HANDLE}\n`);
  });
  await t.step("the agent keeps its identity", async () => {
    assert.equal(await startOnce(lab), name);
  });
  assert.deepEqual(await lab.leavings(), []);
});

Deno.test("--evict-ak leaves what is not the agent's alone, and says why", async (t) => {
  await using lab = await BareTpm.make();
  await occupy(lab.tpm, HANDLE);
  const foreign =
    /ERROR .*"ak_handle" names 0x81080001, which holds another key than agent_data\.json/;
  await t.step("without agent_data.json", async () => {
    failedLike(await evictAk(lab), foreign);
  });
  await t.step("with another key in it", async () => {
    await using _agent = await startAgent(lab, { tpm: lab.tpm });
    failedLike(await evictAk(lab), foreign);
  });
  await t.step("with a damaged one", async () => {
    await Deno.writeTextFile(lab.path("agent_data.json"), "{");
    failedLike(
      await evictAk(lab),
      /agent_data\.json cannot be used, so nothing tells which key is the age/,
    );
  });
  await t.step("without a handle", async () => {
    failedLike(
      await evictAk(lab, ""),
      /"ak_handle" is empty, .*KEYLIME_AGENT_AK_HANDLE=HANDLE/,
    );
  });
  assert.deepEqual(await persistentHandles(lab.tpm), [HANDLE]);
});

Deno.test("--evict-ak says that the TPM refuses", async () => {
  await using lab = await BareTpm.make();
  await startOnce(lab);
  await lab.tool("tpm2_changeauth", "-c", "o", "secret");
  failedLike(
    await evictAk(lab),
    /"tpm_ownerpassword" is not the password of the TPM's owner hierarchy/,
  );
  assert.deepEqual(await persistentHandles(lab.tpm), [HANDLE]);
});
