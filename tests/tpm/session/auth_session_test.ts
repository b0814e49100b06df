import assert from "node:assert/strict";
import { SessionError } from "../../../tpm/authorization.ts";
import {
  AuthSession,
  type SessionStart,
  trimAuthValue,
} from "../../../tpm/session/auth_session.ts";

const EMPTY = new Uint8Array(0);
const HASH = new Uint8Array(32);

const POLICY: SessionStart = {
  handle: 0x0300_0000,
  type: "policy",
  hash: "sha256",
  nonceTpm: Uint8Array.of(1),
  sessionKey: EMPTY,
  symmetric: { algorithm: "null" },
  attributes: { continueSession: true },
};
const HMAC: SessionStart = { ...POLICY, handle: 0x0200_0000, type: "hmac" };

Deno.test("a policy session without a key proves nothing", () => {
  const session = new AuthSession(POLICY);
  const entry = session.begin(EMPTY).authorize(HASH, []);
  assert.deepEqual(entry, {
    sessionHandle: POLICY.handle,
    nonce: EMPTY,
    sessionAttributes: { continueSession: true },
    hmac: EMPTY,
  });
});

Deno.test("a policy session without a key wants no proof", () => {
  const session = new AuthSession(POLICY);
  const exchange = session.begin(EMPTY);
  exchange.authorize(HASH, []);
  exchange.verify(HASH, {
    nonce: Uint8Array.of(2),
    sessionAttributes: { continueSession: true },
    hmac: EMPTY,
  });
  assert.equal(session.nonceTpm.toHex(), "02");
});

Deno.test("a policy session without a key refuses a proof that it cannot check", () => {
  const exchange = new AuthSession(POLICY).begin(EMPTY);
  assert.throws(
    () =>
      exchange.verify(HASH, {
        nonce: EMPTY,
        sessionAttributes: {},
        hmac: HASH,
      }),
    SessionError,
  );
});

Deno.test("a policy session with a key proves it, without the authValue", () => {
  const start = {
    ...POLICY,
    sessionKey: Uint8Array.of(7),
    random: (count: number) => new Uint8Array(count),
  };
  const proof = (authValue: Uint8Array<ArrayBuffer>): string =>
    new AuthSession(start).begin(authValue).authorize(HASH, []).hmac.toHex();
  assert.equal(proof(EMPTY).length, 64);
  assert.equal(proof(Uint8Array.of(1)), proof(EMPTY));
});

Deno.test("an HMAC session's proof depends on the authValue without final zeros", () => {
  const start = {
    ...HMAC,
    random: (count: number) => new Uint8Array(count),
  };
  const proof = (...authValue: readonly number[]): string =>
    new AuthSession(start).begin(Uint8Array.of(...authValue))
      .authorize(HASH, []).hmac.toHex();
  assert.equal(proof(1, 0, 0), proof(1));
  assert.notEqual(proof(1), proof());
  assert.notEqual(proof(0, 1), proof(1));
});

Deno.test("nonces are fresh and as long as a digest", () => {
  const session = new AuthSession(HMAC);
  const first = session.begin(EMPTY).authorize(HASH, []);
  const second = session.begin(EMPTY).authorize(HASH, []);
  assert.equal(first.nonce.length, 32);
  assert.notEqual(first.nonce.toHex(), second.nonce.toHex());
});

Deno.test("a session ends when the TPM says so", () => {
  const session = new AuthSession({ ...POLICY, attributes: {} });
  assert.equal(session.isOpen, true);
  session.begin(EMPTY).verify(HASH, {
    nonce: EMPTY,
    sessionAttributes: {},
    hmac: EMPTY,
  });
  assert.equal(session.isOpen, false);
});

Deno.test("a session without a usable cipher cannot encrypt", async (t) => {
  const ciphers: readonly SessionStart["symmetric"][] = [
    { algorithm: "null" },
    { algorithm: "xor", hashAlg: "sha256" },
    { algorithm: "aes", keyBits: 128, mode: "cbc" },
  ];
  for (const symmetric of ciphers) {
    await t.step(symmetric.algorithm, () => {
      const exchange = new AuthSession({ ...HMAC, symmetric }).begin(EMPTY);
      assert.throws(
        () => exchange.encrypt(Uint8Array.of(1)),
        new RangeError(
          `A session with "${symmetric.algorithm}" cannot encrypt parameters`,
        ),
      );
    });
  }
});

Deno.test("trimAuthValue() drops trailing zeros only", () => {
  assert.equal(
    trimAuthValue(Uint8Array.of(0, 1, 0, 2, 0, 0)).toHex(),
    "00010002",
  );
  assert.equal(trimAuthValue(new Uint8Array(3)).length, 0);
  assert.equal(trimAuthValue(EMPTY).length, 0);
});
