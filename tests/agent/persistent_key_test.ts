import assert from "node:assert/strict";
import type { Identity } from "../../agent/identity.ts";
import { describe } from "../../log/log.ts";
import {
  evict,
  OWNER,
  readPublic,
  TransportError,
  withPassword,
} from "../../tpm/mod.ts";
import { decodeCommand } from "../../tpm/commands/frame.ts";
import { BareTpm, codeOf } from "./support/bare_tpm.ts";
import { occupy, persistentHandles } from "./support/persistent_handles.ts";
import { startAgent } from "./support/start.ts";

const HANDLE = 0x8108_0001;
const ON = `ak_handle = "0x81080001"`;
const EVICT_CONTROL = 0x120;

/** Starts the agent, and resolves with its key and log when it has ended. */
async function start(
  lab: BareTpm,
  ...options: readonly string[]
): Promise<{ ak: Identity["ak"]; log: string; akHandle: number }> {
  await using agent = await startAgent(lab, { tpm: lab.tpm, options });
  const { attester, identity, lines } = agent;
  assert.match(await attester.identityQuote("nonce"), /^r/);
  return {
    ak: identity.ak,
    log: lines.join("\n"),
    akHandle: attester.akHandle,
  };
}

Deno.test("with ak_handle the key of agent_data.json moves into the TPM and stays the same", async (t) => {
  await using lab = await BareTpm.make();
  const first = await start(lab);
  const file = await Deno.readTextFile(lab.path("agent_data.json"));
  await t.step("made persistent once", async () => {
    const { ak, log, akHandle } = await start(lab, ON);
    assert.deepEqual(ak.name, first.ak.name);
    assert.equal(akHandle, HANDLE);
    assert.match(
      log,
      /^info Made the attestation key persistent at 0x81080001$/m,
    );
  });
  await t.step("found from then on, also after a reboot", async () => {
    await lab.restart();
    const commands = await lab.during(async () => {
      const { ak, log, akHandle } = await start(lab, ON);
      assert.deepEqual(ak.name, first.ak.name);
      assert.equal(akHandle, HANDLE);
      assert.match(log, /^info Found the attestation key at 0x81080001$/m);
    });
    assert.equal(commands.includes("TPM2_Load"), false);
    assert.equal(commands.includes("TPM2_EvictControl"), false);
  });
  await t.step(
    "loaded from the file when the option is off again",
    async () => {
      const { ak, akHandle } = await start(lab);
      assert.deepEqual(ak.name, first.ak.name);
      assert.notEqual(akHandle, HANDLE);
    },
  );
  assert.equal(await Deno.readTextFile(lab.path("agent_data.json")), file);
  assert.deepEqual(await lab.leavings(), []);
});

Deno.test("with ak_handle nothing is loaded once the agent is registered", async (t) => {
  await using lab = await BareTpm.make();
  for (const turn of ["first start", "later start"]) {
    await t.step(turn, async () => {
      await using _agent = await startAgent(lab, {
        tpm: lab.tpm,
        options: [ON],
      });
      assert.deepEqual(await lab.leavings(), []);
    });
  }
});

Deno.test("a key that is not the agent's is neither used nor evicted", async (t) => {
  await using lab = await BareTpm.make();
  const want =
    /^UnfitOptionError: Option "ak_handle" names 0x81080001, which holds another key than agent_data\.json; .*tpm2_evictcontrol -C o -c 0x81080001$/;
  await occupy(lab.tpm, HANDLE);
  const { name } = await readPublic(lab.tpm, HANDLE);
  await t.step("before there is agent_data.json", async () => {
    await assert.rejects(start(lab, ON), want);
    await assert.rejects(Deno.stat(lab.path("agent_data.json")));
  });
  await t.step("when there is", async () => {
    await start(lab);
    await assert.rejects(start(lab, ON), want);
  });
  assert.deepEqual((await readPublic(lab.tpm, HANDLE)).name, name);
  assert.deepEqual(await lab.leavings(), []);
});

Deno.test("the agent goes on with a loaded key when the TPM keeps none", async (t) => {
  await using lab = await BareTpm.make();
  const { ak } = await start(lab);
  const rows = [
    ["NV memory is full", 0x14b, /TPM_RC_NV_SPACE/],
    ["the owner hierarchy is disabled", 0x185, /TPM_RC_HIERARCHY/],
  ] as const;
  const goesOn = async (want: RegExp): Promise<void> => {
    const started = await start(lab, ON);
    assert.deepEqual(started.ak.name, ak.name);
    assert.notEqual(started.akHandle, HANDLE);
    const warning = started.log.split("\n").find((line) =>
      line.includes("cannot be kept at 0x81080001")
    );
    assert.match(warning ?? "", /^warn The attestation key cannot be kept/);
    assert.match(warning ?? "", want);
  };
  for (const [name, code, want] of rows) {
    await t.step(name, async () => {
      lab.refuse(EVICT_CONTROL, code);
      await goesOn(want);
      lab.mux.intercept = undefined;
    });
  }
  await t.step("the owner has a password that nobody told", async () => {
    await lab.tool("tpm2_changeauth", "-c", "o", "secret");
    await goesOn(/"tpm_ownerpassword" is not the password of .* owner/);
    await lab.tool("tpm2_changeauth", "-c", "o", "-p", "secret");
  });
  assert.deepEqual(await persistentHandles(lab.tpm), []);
  assert.deepEqual(await lab.leavings(), []);
});

Deno.test("a TPM that is lost while the key is made persistent ends the start", async () => {
  await using lab = await BareTpm.make();
  await using tpm = lab.client();
  lab.mux.intercept = (command) => {
    if (codeOf(command) === EVICT_CONTROL) throw new TransportError("gone");
    return undefined;
  };
  const error = await startAgent(lab, { tpm, options: [ON] })
    .then(() => assert.fail("it started"), (error) => error);
  assert.match(describe(error), /gone/);
});

Deno.test("an owner password is proven, not sent, to make the key persistent", async () => {
  await using lab = await BareTpm.make();
  for (const hierarchy of ["o", "e"]) {
    await lab.tool("tpm2_changeauth", "-c", hierarchy, "not so secret");
  }
  const password = new TextEncoder().encode("not so secret").toHex();
  const sent: string[] = [];
  lab.mux.record = ({ command }) => sent.push(command.toHex());
  await start(lab, ON, 'tpm_ownerpassword = "not so secret"');
  lab.mux.record = undefined;
  assert.deepEqual(await persistentHandles(lab.tpm), [HANDLE]);
  assert.equal(sent.some((command) => command.includes(password)), false);
});

Deno.test("making persistent and evicting are the commands that tpm2_evictcontrol sends", async () => {
  await using lab = await BareTpm.make();
  const seen: ReturnType<typeof decodeCommand>[] = [];
  lab.mux.record = ({ command }) => {
    if (codeOf(command) === EVICT_CONTROL) {
      seen.push(decodeCommand(command, () => 2));
    }
  };
  const context = lab.path("ek.ctx");
  await lab.tool("tpm2_createek", "-G", "ecc", "-c", context);
  await lab.tool("tpm2_evictcontrol", "-C", "o", "-c", context, "0x81080001");
  await lab.tool("tpm2_evictcontrol", "-C", "o", "-c", "0x81080001");
  await occupy(lab.tpm, HANDLE);
  const present = await readPublic(lab.tpm, HANDLE);
  await evict(lab.tpm, withPassword(OWNER), present);
  const shapes = seen.map(({ code, handles, parameters }) => ({
    code,
    handles,
    parameters: parameters.toHex(),
  }));
  assert.equal(shapes.length, 4);
  assert.deepEqual(shapes.slice(2), shapes.slice(0, 2));
});
