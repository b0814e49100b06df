import assert from "node:assert/strict";
import {
  flushLeftovers,
  readHandles,
  readIdentity,
} from "../../tpm/capability.ts";
import { Tpm } from "../../tpm/client.ts";
import { encode, type TypeOf } from "../../tpm/codec/codec.ts";
import { CodecError } from "../../tpm/codec/error.ts";
import { GetCapability } from "../../tpm/commands/capability.ts";
import { EvictControl } from "../../tpm/commands/context.ts";
import { encodeResponse } from "../../tpm/commands/frame.ts";
import { ENDORSEMENT, handleEntity, withPassword } from "../../tpm/entity.ts";
import { createPrimary } from "../../tpm/object.ts";
import { startSession } from "../../tpm/session/start.ts";
import type { TPMS_CAPABILITY_DATA } from "../../tpm/spec/capability.ts";
import {
  FIRST_HANDLE,
  TPM_RH_OWNER,
  TPM_RH_PLATFORM,
} from "../../tpm/spec/handles.ts";
import { ekTemplate } from "../../tpm/templates.ts";
import { scriptedTpm } from "./scripted_tpm.ts";
import { blankTpm, leftIn } from "./swtpm.ts";

Deno.test("readIdentity() says who made the TPM and what it gives at once", async () => {
  await using lab = await blankTpm();
  assert.deepEqual(await readIdentity(lab.tpm), {
    manufacturer: "IBM",
    vendor: "SW   TPM",
    nvBufferMax: 1024,
  });
});

Deno.test("readHandles() gives the handles of one type", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  const persistent = 0x8101_0001;
  assert.deepEqual(await readHandles(tpm, FIRST_HANDLE.persistent), []);
  await using key = await createPrimary(
    tpm,
    withPassword(ENDORSEMENT),
    ekTemplate("ecc256"),
  );
  await tpm.execute(EvictControl, {
    auth: withPassword(handleEntity(TPM_RH_OWNER)),
    objectHandle: key,
    persistentHandle: persistent,
  });
  assert.deepEqual(await readHandles(tpm, FIRST_HANDLE.persistent), [
    persistent,
  ]);
  assert.deepEqual(await readHandles(tpm, persistent + 1), []);
  assert.deepEqual(await readHandles(tpm, FIRST_HANDLE.transient), [
    key.handle,
  ]);
  assert.equal((await readHandles(tpm, FIRST_HANDLE.pcr)).length, 24);
});

Deno.test("readHandles() gives loaded sessions of either kind", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  await using policy = await startSession(tpm, {
    type: "policy",
    hash: "sha256",
  });
  await using hmac = await startSession(tpm, { type: "hmac", hash: "sha256" });
  const handles = await readHandles(tpm, FIRST_HANDLE.loadedSession);
  assert.deepEqual(
    handles.toSorted((a, b) => a - b),
    [hmac.handle, policy.handle],
  );
});

Deno.test("flushLeftovers() flushes what a client left behind, and only that", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  // None of these is disposed of: their client has ended without cleaning up.
  await createPrimary(
    tpm,
    withPassword(handleEntity(TPM_RH_PLATFORM)),
    ekTemplate("ecc256"),
  );
  await startSession(tpm, { type: "policy", hash: "sha256" });
  await startSession(tpm, { type: "hmac", hash: "sha256" });
  assert.equal((await leftIn(tpm)).length, 3);
  assert.equal(await flushLeftovers(tpm), 3);
  assert.deepEqual(await leftIn(tpm), []);
  assert.equal(await flushLeftovers(tpm), 0);
});

/** A TPM that answers every question about itself with `capabilityData`. */
function evasiveTpm(
  capabilityData: TypeOf<typeof TPMS_CAPABILITY_DATA>,
): Tpm {
  const parameters = encode(GetCapability.response, {
    moreData: false,
    capabilityData,
  });
  return new Tpm(scriptedTpm(() =>
    encodeResponse({
      responseCode: 0,
      handle: undefined,
      parameters,
      authorizations: [],
    })
  ));
}

Deno.test("an answer about another capability is refused", async () => {
  await using tpm = evasiveTpm({ capability: "pcrs", data: [] });
  await assert.rejects(readIdentity(tpm), CodecError);
  await assert.rejects(readHandles(tpm, FIRST_HANDLE.transient), CodecError);
});

Deno.test("readIdentity() makes the best of a TPM that says little of itself", async () => {
  await using tpm = evasiveTpm({
    capability: "tpmProperties",
    data: [{ property: 0x105, value: 0x4142_0007 }],
  });
  assert.deepEqual(await readIdentity(tpm), {
    manufacturer: "AB",
    vendor: "",
    nvBufferMax: 512,
  });
});
