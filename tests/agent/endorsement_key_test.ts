import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  activate,
  type Credential,
  parseCredential,
} from "../../agent/credential.ts";
import {
  EndorsementKey,
  type EndorsementOptions,
} from "../../agent/endorsement_key.ts";
import {
  akTemplate,
  create,
  load,
  TpmError,
  type TransientObject,
} from "../../tpm/mod.ts";
import { runOk } from "../lab/command.ts";
import { BareTpm } from "./support/bare_tpm.ts";

const NO_AUTH = new Uint8Array();
const PERSISTENT = 0x8101_0001;
const UUID = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000";

function optionsFor(
  keyType: EndorsementOptions["keyType"],
  more: Partial<EndorsementOptions> = {},
): EndorsementOptions {
  const persistentHandle = undefined;
  return { keyType, persistentHandle, hierarchyAuth: NO_AUTH, ...more };
}

/** What tpm2_createek says that the key is; `evicted` makes it persistent. */
async function createdByTools(
  lab: BareTpm,
  keyType: EndorsementOptions["keyType"],
  evicted?: string,
): Promise<string> {
  const file = lab.path("ek.pem");
  await lab.tool(
    ...["tpm2_createek", "-G", keyType === "rsa2048" ? "rsa" : "ecc"],
    ...["-c", evicted ?? lab.path("ek.ctx"), "-u", file, "-f", "pem"],
  );
  return await Deno.readTextFile(file);
}

/** A loaded attestation key below `ek`. */
async function attestationKey(
  lab: BareTpm,
  ek: EndorsementKey,
): Promise<TransientObject> {
  const template = akTemplate("ecc256", "ecdsa", "sha256");
  const made = await ek.use(lab.tpm, (key) => create(lab.tpm, key, template));
  return await ek.use(lab.tpm, (key) => load(lab.tpm, key, made));
}

/** A credential for both keys with `secret`, made without the TPM. */
async function credentialFor(
  lab: BareTpm,
  keys: { readonly ek: EndorsementKey; readonly ak: TransientObject },
  secret: string,
): Promise<Credential> {
  const { ek, ak } = keys;
  const file = lab.path("ek.pem");
  const text = lab.path("secret");
  const blob = lab.path("blob");
  await Deno.writeTextFile(file, ek.publicKeyPem);
  await Deno.writeTextFile(text, secret);
  await runOk([
    ...["tpm2_makecredential", "-T", "none", "-s", text, "-o", blob],
    ...["-u", file, "-n", ak.name.toHex()],
    ...["-G", ek.publicArea.type === "rsa" ? "rsa" : "ecc"],
  ]);
  return parseCredential((await Deno.readFile(blob)).toBase64());
}

Deno.test("EndorsementKey.open() creates the key that tpm2_createek creates", async (t) => {
  await using lab = await BareTpm.make();
  for (const keyType of ["rsa2048", "ecc256"] as const) {
    await t.step(keyType, async () => {
      const pem = await createdByTools(lab, keyType);
      await using ek = await EndorsementKey.open(lab.tpm, optionsFor(keyType));
      assert.equal(ek.publicKeyPem, pem);
      assert.equal(
        ek.hash,
        createHash("sha256").update(pem).digest("hex"),
      );
    });
  }
});

Deno.test("EndorsementKey leaves the TPM once, when it is disposed of", async () => {
  await using lab = await BareTpm.make();
  const ek = await EndorsementKey.open(lab.tpm, optionsFor("ecc256"));
  assert.equal((await lab.leavings()).length, 1);
  const commands = await lab.during(async () => {
    await ek[Symbol.asyncDispose]();
    await ek[Symbol.asyncDispose]();
  });
  assert.deepEqual(commands, ["TPM2_FlushContext"]);
  assert.deepEqual(await lab.leavings(), []);
});

Deno.test("EndorsementKey.open() attaches to a persistent key and leaves it alone", async () => {
  await using lab = await BareTpm.make();
  const pem = await createdByTools(lab, "rsa2048", "0x81010001");
  const commands = await lab.during(async () => {
    const options = optionsFor("rsa2048", { persistentHandle: PERSISTENT });
    await using ek = await EndorsementKey.open(lab.tpm, options);
    assert.equal(ek.publicKeyPem, pem);
    await using ak = await attestationKey(lab, ek);
    assert.equal(ak.publicArea.type, "ecc");
  });
  assert.equal(commands.includes("TPM2_CreatePrimary"), false);
  assert.match(await lab.tool("tpm2_getcap", "handles-persistent"), /81010001/);
  assert.deepEqual(await lab.leavings(), []);
});

Deno.test("EndorsementKey.open() names the option of a persistent key that is not there", async () => {
  await using lab = await BareTpm.make();
  const options = optionsFor("rsa2048", { persistentHandle: PERSISTENT });
  await assert.rejects(
    EndorsementKey.open(lab.tpm, options),
    /^UnfitOptionError: .*"ek_handle".*0x81010001/,
  );
});

Deno.test("EndorsementKey.use() takes three commands with the one that it is for", async () => {
  await using lab = await BareTpm.make();
  await using ek = await EndorsementKey.open(lab.tpm, optionsFor("ecc256"));
  const template = akTemplate("ecc256", "ecdsa", "sha256");
  const commands = await lab.during(() =>
    ek.use(lab.tpm, (key) => create(lab.tpm, key, template))
  );
  assert.deepEqual(commands, [
    "TPM2_StartAuthSession",
    "TPM2_PolicySecret",
    "TPM2_Create",
  ]);
});

Deno.test("EndorsementKey gets the right to its first use before the key, if told", async () => {
  await using lab = await BareTpm.make();
  const template = akTemplate("ecc256", "ecdsa", "sha256");
  const options = optionsFor("ecc256", { isUsedNext: true });
  const commands = await lab.during(async () => {
    await using ek = await EndorsementKey.open(lab.tpm, options);
    for (let turn = 0; turn < 2; turn++) {
      await ek.use(lab.tpm, (key) => create(lab.tpm, key, template));
    }
  });
  assert.deepEqual(commands, [
    ...["TPM2_StartAuthSession", "TPM2_PolicySecret", "TPM2_CreatePrimary"],
    "TPM2_Create",
    ...["TPM2_StartAuthSession", "TPM2_PolicySecret", "TPM2_Create"],
    "TPM2_FlushContext",
  ]);
  assert.deepEqual(await lab.leavings(), []);
});

Deno.test("EndorsementKey gives a right back that it got in advance for nothing", async (t) => {
  await using lab = await BareTpm.make();
  const options = optionsFor("ecc256", { isUsedNext: true });
  await t.step("because nobody used the key", async () => {
    await using _ek = await EndorsementKey.open(lab.tpm, options);
    assert.equal((await lab.leavings()).length, 2);
  });
  assert.deepEqual(await lab.leavings(), []);
  await t.step("because the key cannot be made", async () => {
    lab.refuse(0x131, 0x101);
    await assert.rejects(EndorsementKey.open(lab.tpm, options));
    lab.mux.intercept = undefined;
  });
  assert.deepEqual(await lab.leavings(), []);
  await t.step("because the password is wrong", async () => {
    const hierarchyAuth = new TextEncoder().encode("wrong");
    await assert.rejects(
      EndorsementKey.open(lab.tpm, { ...options, hierarchyAuth }),
      /"tpm_ownerpassword"/,
    );
  });
  assert.deepEqual(await lab.leavings(), []);
});

Deno.test("EndorsementKey.use() does not hide a response in a session without salt", async () => {
  await using lab = await BareTpm.make();
  const options = optionsFor("ecc256", { isUsedNext: true });
  await using ek = await EndorsementKey.open(lab.tpm, options);
  const template = akTemplate("ecc256", "ecdsa", "sha256");
  const work = () =>
    ek.use(lab.tpm, (key) => create(lab.tpm, key, template), {
      encryptResponse: true,
    });
  assert.equal((await lab.during(work))[0], "TPM2_StartAuthSession");
});

Deno.test("EndorsementKey.use() ends its session also when the work fails", async () => {
  await using lab = await BareTpm.make();
  await using ek = await EndorsementKey.open(lab.tpm, optionsFor("ecc256"));
  const before = await lab.leavings();
  await assert.rejects(
    ek.use(lab.tpm, () => Promise.reject(new Error("No work today"))),
    /No work today/,
  );
  assert.deepEqual(await lab.leavings(), before);
});

Deno.test("EndorsementKey proves a hierarchy password without sending it", async (t) => {
  await using lab = await BareTpm.make();
  await lab.tool("tpm2_changeauth", "-c", "e", "not so secret");
  const password = new TextEncoder().encode("not so secret");
  for (const keyType of ["rsa2048", "ecc256"] as const) {
    await t.step(keyType, async () => {
      const sent: string[] = [];
      lab.mux.record = ({ command }) => sent.push(command.toHex());
      const options = optionsFor(keyType, { hierarchyAuth: password });
      await using ek = await EndorsementKey.open(lab.tpm, options);
      await using ak = await attestationKey(lab, ek);
      assert.equal(ak.publicArea.type, "ecc");
      assert.ok(sent.length > 6);
      for (const command of sent) {
        assert.equal(command.includes(password.toHex()), false);
      }
    });
  }
  assert.deepEqual(await lab.leavings(), []);
});

Deno.test("EndorsementKey.open() names the option of a hierarchy password that is wrong", async (t) => {
  await using lab = await BareTpm.make();
  await lab.tool("tpm2_changeauth", "-c", "e", "right");
  for (const password of ["", "wrong"]) {
    await t.step(`"${password}"`, async () => {
      const hierarchyAuth = new TextEncoder().encode(password);
      const options = optionsFor("ecc256", { hierarchyAuth });
      await assert.rejects(
        EndorsementKey.open(lab.tpm, options),
        (error: Error) => {
          assert.match(error.message, /"tpm_ownerpassword"/);
          assert.ok(error.cause instanceof TpmError);
          return true;
        },
      );
      assert.deepEqual(await lab.leavings(), []);
    });
  }
});

Deno.test("activate() opens a credential for both keys, its secret hidden on the way", async (t) => {
  const secret = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
  for (const keyType of ["rsa2048", "ecc256"] as const) {
    await t.step(keyType, async () => {
      await using lab = await BareTpm.make();
      await using ek = await EndorsementKey.open(lab.tpm, optionsFor(keyType));
      await using ak = await attestationKey(lab, ek);
      const credential = await credentialFor(lab, { ek, ak }, secret);
      const wire: string[] = [];
      lab.mux.record = ({ response }) => wire.push(response.toHex());
      assert.equal(
        await activate(lab.tpm, { ek, ak }, { credential, uuid: UUID }),
        "99371ba1dbc4052a34e8eda70f0c10ec0701be7cdb3f7f99671aee66fa55624a" +
          "49ccd038a7f9d8924aa3e95c14209853",
      );
      const plain = new TextEncoder().encode(secret).toHex();
      assert.equal(wire.some((response) => response.includes(plain)), false);
      assert.equal((await lab.leavings()).length, 2);
    });
  }
});

Deno.test("activate() passes the TPM's refusal of a credential for another key on", async () => {
  await using lab = await BareTpm.make();
  await using ek = await EndorsementKey.open(lab.tpm, optionsFor("ecc256"));
  await using other = await attestationKey(lab, ek);
  const credential = await credentialFor(lab, { ek, ak: other }, "secret");
  await using ak = await attestationKey(lab, ek);
  await assert.rejects(
    activate(lab.tpm, { ek, ak }, { credential, uuid: UUID }),
    (error) => {
      assert.ok(error instanceof TpmError);
      assert.equal(error.command, "TPM2_ActivateCredential");
      assert.ok(error.is("TPM_RC_INTEGRITY"));
      return true;
    },
  );
  assert.equal((await lab.leavings()).length, 3);
});
