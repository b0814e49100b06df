import assert from "node:assert/strict";
import { CodecError } from "../../../tpm/codec/error.ts";
import { GetRandom } from "../../../tpm/commands/capability.ts";
import { ContextLoad } from "../../../tpm/commands/context.ts";
import { ActivateCredential, Load } from "../../../tpm/commands/object.ts";
import type { SomeCommand } from "../../../tpm/commands/command.ts";
import {
  handleEntity,
  withPassword,
  withSession,
} from "../../../tpm/entity.ts";
import { AuthSession } from "../../../tpm/session/auth_session.ts";
import { CommandAuthorization } from "../../../tpm/session/command_authorization.ts";
import type { SessionAttributes } from "../../../tpm/spec/session.ts";

const KEY = handleEntity(0x8000_0000);
const PARAMETERS = Uint8Array.fromHex("0003aabbcc0002ddee");

function session(attributes: SessionAttributes): AuthSession {
  return new AuthSession({
    handle: 0x0200_0000,
    type: "hmac",
    hash: "sha256",
    nonceTpm: Uint8Array.of(1),
    sessionKey: Uint8Array.of(2),
    symmetric: { algorithm: "aes", keyBits: 128, mode: "cfb" },
    attributes,
  });
}

function encrypting(command: SomeCommand): CommandAuthorization {
  const one = session({ decrypt: true, encrypt: true });
  return new CommandAuthorization(command, [withSession(KEY, one)], []);
}

Deno.test("a password is sent as it is, in the pseudo-session for it", () => {
  const secret = Uint8Array.of(1, 2);
  const authorization = new CommandAuthorization(
    Load,
    [withPassword(KEY, secret)],
    [],
  );
  assert.deepEqual(authorization.authorize([KEY], PARAMETERS), [{
    sessionHandle: 0x4000_0009,
    nonce: new Uint8Array(0),
    sessionAttributes: { continueSession: true },
    hmac: secret,
  }]);
});

Deno.test("entities are authorized in the order of their handles, then come further sessions", () => {
  const further = session({ audit: true });
  const policy = new AuthSession({
    handle: 0x0300_0000,
    type: "policy",
    hash: "sha256",
    nonceTpm: new Uint8Array(0),
    sessionKey: new Uint8Array(0),
    symmetric: { algorithm: "null" },
    attributes: {},
  });
  const authorization = new CommandAuthorization(
    ActivateCredential,
    [withPassword(KEY), withSession(KEY, policy)],
    [further],
  );
  const handles = authorization.authorize([KEY, KEY], PARAMETERS)
    .map(({ sessionHandle }) => sessionHandle);
  assert.equal(authorization.count, 3);
  assert.deepEqual(handles, [0x4000_0009, 0x0300_0000, 0x0200_0000]);
});

Deno.test("only the body of the first parameter is encrypted", () => {
  const encrypted = encrypting(Load).encryptParameters(PARAMETERS);
  assert.equal(encrypted.length, PARAMETERS.length);
  assert.equal(encrypted.subarray(0, 2).toHex(), "0003");
  assert.notEqual(encrypted.subarray(2, 5).toHex(), "aabbcc");
  assert.equal(encrypted.subarray(5).toHex(), "0002ddee");
});

Deno.test("a first parameter that is no TPM2B stays plain", () => {
  const plain = encrypting(GetRandom).encryptParameters(PARAMETERS);
  assert.equal(plain.toHex(), PARAMETERS.toHex());
  const response = encrypting(ContextLoad).decryptParameters(PARAMETERS);
  assert.equal(response.toHex(), PARAMETERS.toHex());
});

Deno.test("decryptParameters() refuses a first parameter that is cut short", async (t) => {
  for (const hex of ["", "00", "0001", "0003aabb", "ffff"]) {
    await t.step(JSON.stringify(hex), () => {
      assert.throws(
        () => encrypting(GetRandom).decryptParameters(Uint8Array.fromHex(hex)),
        CodecError,
      );
    });
  }
});
