import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readIdentity } from "../../tpm/capability.ts";
import { Tpm } from "../../tpm/client.ts";
import type { Bytes } from "../../tpm/codec/buffer.ts";
import { encode } from "../../tpm/codec/codec.ts";
import { CodecError } from "../../tpm/codec/error.ts";
import type { Executor } from "../../tpm/commands/command.ts";
import { encodeResponse } from "../../tpm/commands/frame.ts";
import {
  NvDefineSpace,
  NvRead,
  NvReadPublic,
  NvWrite,
} from "../../tpm/commands/nv.ts";
import { publicKeyOf } from "../../tpm/crypto.ts";
import {
  EMPTY,
  ENDORSEMENT,
  handleEntity,
  withPassword,
} from "../../tpm/entity.ts";
import { TpmError } from "../../tpm/error.ts";
import { readNvIndex } from "../../tpm/nv.ts";
import { createPrimary } from "../../tpm/object.ts";
import { TPM_RH_OWNER } from "../../tpm/spec/handles.ts";
import type { NvPublic } from "../../tpm/spec/nv.ts";
import { EK_CERTIFICATE_INDEX, ekTemplate } from "../../tpm/templates.ts";
import { connectSwtpm } from "../../tpm/transport/swtpm.ts";
import { EkCa } from "../lab/ek_ca.ts";
import { manufacture, Swtpm } from "../lab/swtpm.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";
import { type ScriptedTpm, scriptedTpm } from "./scripted_tpm.ts";
import { blankTpm } from "./swtpm.ts";

const INDEX = 0x0150_0001;
const OWNER = withPassword(handleEntity(TPM_RH_OWNER));

const READABLE: NvPublic["attributes"] = {
  ownerWrite: true,
  ownerRead: true,
  authRead: true,
  noDA: true,
};

/** Defines {@linkcode INDEX} with room for `dataSize` bytes. */
async function define(
  tpm: Executor,
  dataSize: number,
  attributes: NvPublic["attributes"] = READABLE,
): Promise<void> {
  await tpm.execute(NvDefineSpace, {
    authHandle: OWNER,
    auth: EMPTY,
    publicInfo: {
      nvIndex: INDEX,
      nameAlg: "sha256",
      attributes,
      authPolicy: EMPTY,
      dataSize,
    },
  });
}

async function write(tpm: Executor, contents: Bytes): Promise<void> {
  for (let offset = 0; offset < contents.length; offset += 512) {
    const { nvName } = await tpm.execute(NvReadPublic, {
      nvIndex: handleEntity(INDEX),
    });
    await tpm.execute(NvWrite, {
      authHandle: OWNER,
      nvIndex: { handle: INDEX, name: nvName },
      data: contents.slice(offset, offset + 512),
      offset,
    });
  }
}

Deno.test("readNvIndex() reads indices of any size, in chunks of any size", async (t) => {
  for (const size of [1, 512, 513, 2048]) {
    await using lab = await blankTpm();
    const { tpm } = lab;
    const contents = Uint8Array.from({ length: size }, (_, at) => at % 251);
    await define(tpm, size);
    await write(tpm, contents);
    for (const chunk of [100, 512, 1024]) {
      await t.step(`${size} bytes, ${chunk} at once`, async () => {
        assert.deepEqual(await readNvIndex(tpm, INDEX, chunk), contents);
      });
    }
  }
});

Deno.test("readNvIndex() finds no index that is not defined or not written", async () => {
  await using lab = await blankTpm();
  assert.equal(await readNvIndex(lab.tpm, INDEX, 512), undefined);
  await define(lab.tpm, 8);
  assert.equal(await readNvIndex(lab.tpm, INDEX, 512), undefined);
});

Deno.test("readNvIndex() fails for an index that it may not read", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  await define(tpm, 8, { ownerWrite: true, ownerRead: true });
  await write(tpm, new Uint8Array(8));
  await assert.rejects(readNvIndex(tpm, INDEX, 512), (error) => {
    assert.ok(error instanceof TpmError);
    assert.equal(
      error.message,
      "TPM2_NV_Read on 0x01500001, 0x01500001 failed: " +
        "TPM_RC_AUTH_UNAVAILABLE (0x12f)",
    );
    return true;
  });
});

/** A TPM whose index has 8 bytes and gives `data` at every reading. */
function oddTpm(data: Bytes): ScriptedTpm {
  const nvPublic: NvPublic = {
    nvIndex: INDEX,
    nameAlg: "sha256",
    attributes: READABLE,
    authPolicy: EMPTY,
    dataSize: 8,
  };
  const plain = { responseCode: 0, handle: undefined };
  const answer = { nonce: EMPTY, sessionAttributes: {}, hmac: EMPTY };
  return scriptedTpm((_, index) => {
    if (index > 20) throw new Error("It asks for ever");
    return index === 0
      ? encodeResponse({
        ...plain,
        parameters: encode(NvReadPublic.response, { nvPublic, nvName: EMPTY }),
        authorizations: [],
      })
      : encodeResponse({
        ...plain,
        parameters: encode(NvRead.response, { data }),
        authorizations: [answer],
      });
  });
}

Deno.test("readNvIndex() refuses an answer that is none", async (t) => {
  for (const size of [0, 5, 9]) {
    await t.step(`${size} bytes`, async () => {
      await using tpm = new Tpm(oddTpm(new Uint8Array(size)));
      await assert.rejects(readNvIndex(tpm, INDEX, 512), CodecError);
    });
  }
});

Deno.test("EK certificates are of the keys that the templates make", async (t) => {
  await using directory = await temporaryDirectory();
  const ca = await EkCa.create(`${directory.path}/ca`, { key: "p256" });
  const stateDirectory = `${directory.path}/tpm`;
  await manufacture(stateDirectory, { ca });
  await using swtpm = await Swtpm.start({ stateDirectory });
  await using tpm = new Tpm(await connectSwtpm(swtpm.address));
  const { nvBufferMax } = await readIdentity(tpm);
  for (const type of ["rsa2048", "ecc256"] as const) {
    await t.step(type, async () => {
      const index = EK_CERTIFICATE_INDEX[type];
      const der = await readNvIndex(tpm, index, nvBufferMax);
      assert.ok(der);
      await using ek = await createPrimary(
        tpm,
        withPassword(ENDORSEMENT),
        ekTemplate(type),
      );
      const format = { format: "pem", type: "spki" } as const;
      assert.equal(
        new X509Certificate(der).publicKey.export(format),
        publicKeyOf(ek.publicArea).export(format),
      );
    });
  }
});
