import assert from "node:assert/strict";
import { CreateLoaded, CreatePrimary } from "../../../tpm/commands/object.ts";
import { GetRandom } from "../../../tpm/commands/capability.ts";
import type { Executor } from "../../../tpm/commands/command.ts";
import { PolicyGetDigest } from "../../../tpm/commands/session.ts";
import { encode } from "../../../tpm/codec/codec.ts";
import {
  type AuthorizedEntity,
  EMPTY,
  ENDORSEMENT,
  handleEntity,
  withPassword,
  withSession,
} from "../../../tpm/entity.ts";
import { TpmError } from "../../../tpm/error.ts";
import { create, load, TransientObject } from "../../../tpm/object.ts";
import {
  type OpenSession,
  policySecret,
  startSession,
} from "../../../tpm/session/start.ts";
import { TPM_RH_OWNER } from "../../../tpm/spec/handles.ts";
import { TPMT_PUBLIC, type TpmtPublic } from "../../../tpm/spec/public.ts";
import type { SessionAttributes } from "../../../tpm/spec/session.ts";
import { akTemplate, ekTemplate } from "../../../tpm/templates.ts";
import { type Exchange, recorder } from "../../../tpm/transport/recorder.ts";
import { ekOn, KEYS } from "../keys.ts";
import { blankTpm, type ConnectedTpm, leftIn } from "../swtpm.ts";

/** A blank TPM, and everything that goes to and from it. */
async function watchedTpm(): Promise<
  ConnectedTpm & { readonly exchanges: readonly Exchange[] }
> {
  const exchanges: Exchange[] = [];
  const lab = await blankTpm({
    wrap: (inner) => recorder(inner, (exchange) => exchanges.push(exchange)),
  });
  return { ...lab, exchanges };
}

const BOTH_WAYS: SessionAttributes = {
  continueSession: true,
  decrypt: true,
  encrypt: true,
};

const PASSWORD = new TextEncoder().encode("hidden password");

/** A storage key below which children can be made, with a password. */
async function storageKey(
  tpm: Executor,
  sessions: readonly OpenSession[] = [],
): Promise<TransientObject> {
  const template: TpmtPublic = {
    ...ekTemplate("ecc256"),
    authPolicy: EMPTY,
    objectAttributes: {
      fixedTPM: true,
      fixedParent: true,
      sensitiveDataOrigin: true,
      userWithAuth: true,
      noDA: true,
      restricted: true,
      decrypt: true,
    },
  };
  const { objectHandle, name, outPublic } = await tpm.execute(CreatePrimary, {
    primaryHandle: withPassword(handleEntity(TPM_RH_OWNER)),
    inSensitive: { userAuth: PASSWORD, data: EMPTY },
    inPublic: template,
    outsideInfo: EMPTY,
    creationPCR: [],
  }, sessions);
  return new TransientObject(tpm, {
    handle: objectHandle,
    name,
    publicArea: outPublic,
  });
}

Deno.test("a salted session hides the first parameters both ways", async (t) => {
  await using lab = await watchedTpm();
  const { tpm, exchanges } = lab;
  for (const [type] of KEYS) {
    await t.step(type, async () => {
      await using ek = await ekOn(tpm, type);
      await using session = await startSession(tpm, {
        type: "hmac",
        hash: "sha256",
        saltKey: ek,
        attributes: BOTH_WAYS,
      });
      await using parent = await storageKey(tpm, [session]);
      const made = exchanges.at(-1);
      assert.equal(made?.command.includes(PASSWORD.toHex()), false);
      const area = encode(TPMT_PUBLIC, parent.publicArea).toHex();
      assert.equal(made?.response.includes(area), false);
      // The TPM got the password all the same: a child needs it.
      await create(
        tpm,
        withSession(parent, session, PASSWORD),
        akTemplate("ecc256", "ecdsa", "sha256"),
      );
    });
  }
  assert.deepEqual(await leftIn(tpm), []);
});

Deno.test("a session that encrypts responses hides random numbers", async () => {
  await using lab = await watchedTpm();
  const { tpm, exchanges } = lab;
  await using ek = await ekOn(tpm, "ecc256");
  await using session = await startSession(tpm, {
    type: "hmac",
    hash: "sha256",
    saltKey: ek,
    attributes: { continueSession: true, encrypt: true },
  });
  const { randomBytes } = await tpm.execute(
    GetRandom,
    { bytesRequested: 32 },
    [session],
  );
  const { response = "" } = exchanges.at(-1) ?? {};
  assert.ok(response.length > 64);
  assert.equal(response.includes(randomBytes.toHex()), false);
});

Deno.test("a parameter that cannot be encrypted is refused, not sent in plain", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  await using ek = await ekOn(tpm, "ecc256");
  await using session = await startSession(tpm, {
    type: "hmac",
    hash: "sha256",
    saltKey: ek,
    attributes: BOTH_WAYS,
  });
  await assert.rejects(
    tpm.execute(GetRandom, { bytesRequested: 32 }, [session]),
    /TPM2_GetRandom failed: TPM_RC_ATTRIBUTES \(0x982\) for session 1/,
  );
});

Deno.test("without a session everything can be read", async () => {
  await using lab = await watchedTpm();
  const { tpm, exchanges } = lab;
  const { randomBytes } = await tpm.execute(GetRandom, { bytesRequested: 32 });
  assert.ok(exchanges.at(-1)?.response.includes(randomBytes.toHex()));
  await using _parent = await storageKey(tpm);
  assert.ok(exchanges.at(-1)?.command.includes(PASSWORD.toHex()));
});

Deno.test("sessions have any hash that the TPM has", async (t) => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  await using ek = await ekOn(tpm, "ecc256");
  for (const hash of ["sha1", "sha256", "sha384", "sha512"] as const) {
    await t.step(hash, async () => {
      await using session = await startSession(tpm, {
        type: "hmac",
        hash,
        saltKey: ek,
        attributes: { continueSession: true, encrypt: true, audit: true },
      });
      for (let turn = 0; turn < 3; turn++) {
        const { randomBytes } = await tpm.execute(
          GetRandom,
          { bytesRequested: 16 },
          [session],
        );
        assert.equal(randomBytes.length, 16);
      }
    });
  }
});

Deno.test("one session authorizes while others encrypt", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  await using ek = await ekOn(tpm, "rsa2048");
  await using parent = await storageKey(tpm);
  const start = (attributes: SessionAttributes): Promise<OpenSession> =>
    startSession(tpm, {
      type: "hmac",
      hash: "sha256",
      saltKey: ek,
      attributes: { continueSession: true, ...attributes },
    });
  await using authorizing = await start({});
  await using decrypting = await start({ decrypt: true });
  await using encrypting = await start({ encrypt: true });
  const template = akTemplate("ecc256", "ecdsa", "sha256");
  const input = {
    inSensitive: { userAuth: PASSWORD, data: EMPTY },
    inPublic: encode(TPMT_PUBLIC, template),
  };
  const orders: readonly OpenSession[][] = [
    [decrypting, encrypting],
    [encrypting, decrypting],
    [encrypting],
    [],
  ];
  for (const further of orders) {
    const { objectHandle, name, outPublic } = await tpm.execute(CreateLoaded, {
      parentHandle: withSession(parent, authorizing, PASSWORD),
      ...input,
    }, further);
    await using child = new TransientObject(tpm, {
      handle: objectHandle,
      name,
      publicArea: outPublic,
    });
    assert.equal(child.publicArea.type, "ecc");
  }
});

/** Runs `work` with a right to use `ek` that lasts for one command. */
async function withPolicy<T>(
  tpm: Executor,
  ek: TransientObject,
  work: (authorized: AuthorizedEntity, session: OpenSession) => Promise<T>,
): Promise<T> {
  await using session = await startSession(tpm, {
    type: "policy",
    hash: "sha256",
    saltKey: ek,
    attributes: { encrypt: true },
  });
  await policySecret(tpm, session, withPassword(ENDORSEMENT));
  return await work(withSession(ek, session), session);
}

Deno.test("a policy session ends with its first command, and needs no flush", async () => {
  await using lab = await watchedTpm();
  const { tpm, exchanges } = lab;
  await using ek = await ekOn(tpm, "ecc256");
  const template = akTemplate("ecc256", "ecdsa", "sha256");
  const made = await withPolicy(tpm, ek, async (authorized, session) => {
    assert.equal(session.isOpen, true);
    const wrapped = await create(tpm, authorized, template);
    assert.equal(session.isOpen, false);
    return wrapped;
  });
  assert.match(exchanges.at(-1)?.command ?? "", /^8002.{8}00000153/);
  await using ak = await withPolicy(
    tpm,
    ek,
    (authorized) => load(tpm, authorized, made),
  );
  assert.deepEqual(await leftIn(tpm), [ak.handle, ek.handle].sort());
});

Deno.test("sessions and objects are flushed once, however often they are disposed of", async () => {
  await using lab = await watchedTpm();
  const { tpm, exchanges } = lab;
  const ek = await ekOn(tpm, "ecc256");
  const session = await startSession(tpm, { type: "hmac", hash: "sha256" });
  const before = exchanges.length;
  for (let turn = 0; turn < 2; turn++) {
    await session[Symbol.asyncDispose]();
    await ek[Symbol.asyncDispose]();
  }
  assert.equal(exchanges.length, before + 2);
  assert.equal(session.isOpen, false);
});

Deno.test("policySecret() leads to the policy of endorsement keys", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  await using session = await startSession(tpm, {
    type: "policy",
    hash: "sha256",
  });
  await policySecret(tpm, session, withPassword(ENDORSEMENT));
  const { policyDigest } = await tpm.execute(PolicyGetDigest, {
    policySession: handleEntity(session.handle),
  });
  assert.deepEqual(policyDigest, ekTemplate("rsa2048").authPolicy);
});

Deno.test("an unsatisfied policy is refused, and the session flushed", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  await using ek = await ekOn(tpm, "ecc256");
  await assert.rejects(async () => {
    await using session = await startSession(tpm, {
      type: "policy",
      hash: "sha256",
    });
    await create(
      tpm,
      withSession(ek, session),
      akTemplate("ecc256", "ecdsa", "sha256"),
    );
  }, (error) => {
    assert.ok(error instanceof TpmError);
    assert.match(
      error.message,
      /^TPM2_Create on 0x80000000 failed: TPM_RC_POLICY_FAIL \(0x99d\) for session 1$/,
    );
    return true;
  });
  assert.deepEqual(await leftIn(tpm), [ek.handle]);
});

Deno.test("a wrong password is refused, and the session goes on", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  await using parent = await storageKey(tpm);
  await using session = await startSession(tpm, {
    type: "hmac",
    hash: "sha256",
    attributes: { continueSession: true },
  });
  const template = akTemplate("ecc256", "ecdsa", "sha256");
  await assert.rejects(
    create(tpm, withSession(parent, session, Uint8Array.of(1)), template),
    /TPM2_Create on 0x80000000 failed: TPM_RC_BAD_AUTH \(0x9a2\) for session 1/,
  );
  await create(tpm, withSession(parent, session, PASSWORD), template);
});
