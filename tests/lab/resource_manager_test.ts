import assert from "node:assert/strict";
import {
  create,
  createPrimary,
  ekTemplate,
  ENDORSEMENT,
  type Executor,
  load,
  policySecret,
  readHandles,
  readPcrs,
  startSession,
  Tpm,
  TransientObject,
  withPassword,
  withSession,
} from "../../tpm/mod.ts";
import { akTemplate } from "../../tpm/templates.ts";
import { BareTpm } from "../agent/support/bare_tpm.ts";
import { ResourceManager } from "./resource_manager.ts";

/** A TPM behind a resource manager, and the commands that it executes. */
async function managed(): Promise<
  { lab: BareTpm; manager: ResourceManager } & AsyncDisposable
> {
  const lab = await BareTpm.make();
  const manager = new ResourceManager((bytes) => lab.mux.transmit(bytes));
  return {
    lab,
    manager,
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
}

function total(lab: BareTpm): number {
  const sum = [...lab.mux.counts.values()].reduce((all, n) => all + n, 0);
  lab.mux.reset();
  return sum;
}

const makeKey = (tpm: Executor): Promise<TransientObject> =>
  createPrimary(tpm, withPassword(ENDORSEMENT), ekTemplate("ecc256"));

/** What Linux was seen to make of these calls, in swtpm's log below it. */
Deno.test("a command costs what it costs on a real /dev/tpmrm0", async () => {
  await using place = await managed();
  const { lab, manager } = place;
  await using tpm = new Tpm(manager.open());
  const read = async (): Promise<number> => {
    await readPcrs(tpm, "sha256", [0]);
    return total(lab);
  };
  await read();
  assert.equal(await read(), 1);
  {
    await using _first = await makeKey(tpm);
    assert.equal(total(lab), 3);
    assert.equal(await read(), 4);
    {
      await using _second = await makeKey(tpm);
      total(lab);
      assert.equal(await read(), 7);
    }
  }
  total(lab);
  assert.equal(await read(), 1);
});

Deno.test("spaces know nothing of each other's objects and sessions", async () => {
  await using place = await managed();
  const { lab, manager } = place;
  await using one = new Tpm(manager.open());
  await using other = new Tpm(manager.open());
  await using key = await makeKey(one);
  await using session = await startSession(one, {
    type: "policy",
    hash: "sha256",
  });
  assert.deepEqual(await readHandles(one, 0x8000_0000), [key.handle]);
  assert.deepEqual(await readHandles(other, 0x8000_0000), []);
  await policySecret(one, session, withPassword(ENDORSEMENT));
  const wrapped = await create(
    one,
    withSession(key, session),
    akTemplate("ecc256", "ecdsa", "sha256"),
  );
  await assert.rejects(load(other, withPassword(key), wrapped), /TPM2_Load/);
  assert.deepEqual(await lab.leavings(), []);
});

Deno.test("a closed space leaves nothing in the TPM", async () => {
  await using place = await managed();
  const { lab, manager } = place;
  {
    await using tpm = new Tpm(manager.open());
    await makeKey(tpm);
    await startSession(tpm, { type: "hmac", hash: "sha256" });
  }
  assert.deepEqual(await lab.leavings(), []);
});
