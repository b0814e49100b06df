import assert from "node:assert/strict";
import {
  constants,
  createHmac,
  createPublicKey,
  publicEncrypt,
} from "node:crypto";
import fc from "fast-check";
import { decryptPayload } from "../../payload/decrypt.ts";
import { PayloadError } from "../../payload/error.ts";
import {
  type CombinedKey,
  KeyShares,
  PENDING_MAX,
} from "../../payload/key_shares.ts";
import { Secret } from "../../payload/secret.ts";
import { KEY_CASES, keyCase, TRANSPORT_KEY } from "./key_vectors.ts";

const UUID = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000";

/** A key with its two halves and its tag, as a tenant makes them. */
interface Split {
  readonly k: Uint8Array<ArrayBuffer>;
  readonly u: Uint8Array<ArrayBuffer>;
  readonly v: Uint8Array<ArrayBuffer>;
  readonly authTag: Uint8Array;
}

function split(size = 32): Split {
  const k = crypto.getRandomValues(new Uint8Array(size));
  const v = crypto.getRandomValues(new Uint8Array(size));
  return {
    k,
    v,
    u: k.map((byte, at) => byte ^ (v[at] ?? 0)),
    authTag: createHmac("sha384", k).update(UUID).digest(),
  };
}

function hexOf({ key }: CombinedKey): string {
  return key.use((bytes) => bytes.toHex());
}

/** What both messages of a given case lead to. */
function deliver(name: string, order: "uv" | "vu"): {
  readonly shares: KeyShares;
  readonly combined: CombinedKey | undefined;
} {
  const given = keyCase(name);
  const { encrypted_key, auth_tag = "", payload } = given.ukey_request;
  const shares = new KeyShares(TRANSPORT_KEY, given.agent_uuid);
  const tenant = (): CombinedKey | undefined =>
    shares.addTenantShare({
      share: shares.open(Uint8Array.fromBase64(encrypted_key)),
      authTag: Uint8Array.fromHex(auth_tag),
      payload: payload === undefined
        ? undefined
        : Uint8Array.fromBase64(payload),
    });
  const verifier = (): CombinedKey | undefined =>
    shares.addVerifierShare(
      shares.open(Uint8Array.fromBase64(given.vkey_request.encrypted_key)),
    );
  const [first, second] = order === "uv"
    ? [tenant, verifier]
    : [verifier, tenant];
  assert.equal(first(), undefined);
  return { combined: second(), shares };
}

Deno.test("KeyShares combine the given halves in either order", async (t) => {
  const accepted = KEY_CASES.filter((each) =>
    each.expected.startsWith("key accepted")
  );
  assert.equal(accepted.length, 10);
  for (const given of accepted) {
    for (const order of ["uv", "vu"] as const) {
      await t.step(`${given.name}, ${order}`, async () => {
        const { combined, shares } = deliver(given.name, order);
        assert.ok(combined !== undefined);
        assert.equal(hexOf(combined), given.k_hex);
        const { challenge, hmac_hex } = given.verify;
        assert.equal(shares.prove(challenge), hmac_hex);
        if (given.expected.includes("payload decrypts")) {
          assert.ok(combined.payload !== undefined);
          const plain = await decryptPayload(combined.payload, combined.key);
          assert.equal(plain.toBase64(), given.payload_plain_b64);
        }
        if (given.expected.includes("payload refused")) {
          assert.ok(combined.payload !== undefined);
          await assert.rejects(
            decryptPayload(combined.payload, combined.key),
            { name: "PayloadError", problem: "decryption" },
          );
        }
      });
    }
  }
});

Deno.test("KeyShares never combine halves that do not belong together", async (t) => {
  const never = KEY_CASES.filter((each) =>
    each.expected.startsWith("U and V never combine")
  );
  assert.equal(never.length, 3);
  for (const given of never) {
    for (const order of ["uv", "vu"] as const) {
      await t.step(`${given.name}, ${order}`, () => {
        const { combined, shares } = deliver(given.name, order);
        assert.equal(combined, undefined);
        assert.equal(shares.prove(given.verify.challenge), undefined);
      });
    }
  }
});

Deno.test("KeyShares.open() refuses what was encrypted otherwise", async (t) => {
  const shares = new KeyShares(TRANSPORT_KEY, UUID);
  const names = [
    "key-24-bytes",
    "oaep-sha256",
    "pkcs1v15",
    "other-key",
    "ciphertext-short",
  ];
  const encrypted = names.map((name) => ({
    name,
    bytes: Uint8Array.fromBase64(keyCase(name).ukey_request.encrypted_key),
  }));
  const flipped = keyCase("vkey-ciphertext-flip").vkey_request.encrypted_key;
  const rows = [
    ...encrypted,
    { name: "flipped bit", bytes: Uint8Array.fromBase64(flipped) },
    { name: "empty", bytes: new Uint8Array() },
    { name: "zeros", bytes: new Uint8Array(256) },
    { name: "beyond the modulus", bytes: new Uint8Array(256).fill(255) },
    { name: "2 MB", bytes: new Uint8Array(2_000_000) },
    ...[0, 15, 17, 31, 33].map((size) => ({
      name: `${size} bytes inside`,
      bytes: publicEncrypt({
        key: createPublicKey(TRANSPORT_KEY),
        padding: constants.RSA_PKCS1_OAEP_PADDING,
        oaepHash: "sha1",
      }, new Uint8Array(size)),
    })),
  ];
  for (const { name, bytes } of rows) {
    await t.step(name, () => {
      assert.throws(() => shares.open(bytes), {
        name: "PayloadError",
        problem: "share",
      });
    });
  }
});

Deno.test("KeyShares keep a bounded number of halves", async (t) => {
  await t.step("the newest are kept", () => {
    const shares = new KeyShares(TRANSPORT_KEY, UUID);
    const [first, ...rest] = Array.from(
      { length: PENDING_MAX + 1 },
      () => split(),
    );
    for (
      const { u, authTag } of [first, ...rest].filter((s) => s !== undefined)
    ) {
      shares.addTenantShare({ share: new Secret(u.slice()), authTag });
    }
    assert.ok(first !== undefined);
    assert.equal(shares.addVerifierShare(new Secret(first.v)), undefined);
    const second = rest[0];
    assert.ok(second !== undefined);
    const combined = shares.addVerifierShare(new Secret(second.v));
    assert.ok(combined !== undefined);
    assert.equal(hexOf(combined), second.k.toHex());
  });
  await t.step("of the verifier's too", () => {
    const shares = new KeyShares(TRANSPORT_KEY, UUID);
    const all = Array.from({ length: PENDING_MAX + 1 }, () => split());
    for (const { v } of all) shares.addVerifierShare(new Secret(v));
    const [oldest, next] = all.map(({ u, authTag }) =>
      shares.addTenantShare({ share: new Secret(u), authTag })
    );
    assert.equal(oldest, undefined);
    assert.ok(next !== undefined);
  });
  await t.step("the same half again takes no place", () => {
    const shares = new KeyShares(TRANSPORT_KEY, UUID);
    const wanted = split();
    shares.addVerifierShare(new Secret(wanted.v.slice()));
    const other = split();
    for (let i = 0; i <= PENDING_MAX; i++) {
      shares.addVerifierShare(new Secret(other.v.slice()));
    }
    const { u, authTag } = wanted;
    assert.ok(shares.addTenantShare({ share: new Secret(u), authTag }));
  });
});

Deno.test("KeyShares take the newest payload of a half sent twice", () => {
  const shares = new KeyShares(TRANSPORT_KEY, UUID);
  const { u, v, authTag } = split();
  for (const byte of [1, 2]) {
    const payload = new Uint8Array([byte]);
    shares.addTenantShare({ share: new Secret(u.slice()), authTag, payload });
  }
  const combined = shares.addVerifierShare(new Secret(v));
  assert.deepEqual(combined?.payload, new Uint8Array([2]));
});

Deno.test("KeyShares forget all halves once two fit, and keep the key", () => {
  const shares = new KeyShares(TRANSPORT_KEY, UUID);
  const [one, other] = [split(), split()];
  const add = ({ u, authTag }: Split): CombinedKey | undefined =>
    shares.addTenantShare({ share: new Secret(u.slice()), authTag });
  add(other);
  add(one);
  const combined = shares.addVerifierShare(new Secret(one.v.slice()));
  assert.ok(combined !== undefined);
  const proof = shares.prove("challenge");
  assert.equal(
    proof,
    createHmac("sha384", one.k).update("challenge").digest("hex"),
  );
  // The receiver wipes what it got; the agent still proves that it has it.
  combined.key.wipe();
  assert.equal(shares.prove("challenge"), proof);
  assert.equal(shares.addVerifierShare(new Secret(other.v.slice())), undefined);
  assert.equal(shares.prove("challenge"), proof);
  const again = add(other);
  assert.ok(again !== undefined);
  assert.notEqual(shares.prove("challenge"), proof);
});

Deno.test("KeyShares combine under any interleaving just when a pair is there", () => {
  const message = fc.record({
    kind: fc.constantFrom("u" as const, "v" as const),
    of: fc.integer({ min: 0, max: 3 }),
    size: fc.constantFrom(16, 32),
  });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 7 }), (messages) => {
      const keys = new Map<string, Split>(
        [16, 32].flatMap((size) =>
          [0, 1, 2, 3].map((of) => [`${of}/${size}`, split(size)] as const)
        ),
      );
      const shares = new KeyShares(TRANSPORT_KEY, UUID);
      const pending = new Set<string>();
      let known: Split | undefined;
      for (const { kind, of, size } of messages) {
        const name = `${of}/${size}`;
        const key = keys.get(name);
        assert.ok(key !== undefined);
        const { u, v, authTag } = key;
        const combined = kind === "u"
          ? shares.addTenantShare({ share: new Secret(u.slice()), authTag })
          : shares.addVerifierShare(new Secret(v.slice()));
        if (pending.has(`${kind === "u" ? "v" : "u"} ${name}`)) {
          assert.ok(combined !== undefined);
          assert.equal(hexOf(combined), key.k.toHex());
          pending.clear();
          known = key;
        } else {
          assert.equal(combined, undefined);
          pending.add(`${kind} ${name}`);
        }
        assert.equal(
          shares.prove("c"),
          known && createHmac("sha384", known.k).update("c").digest("hex"),
        );
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("a tag of the wrong length never compares", () => {
  const shares = new KeyShares(TRANSPORT_KEY, UUID);
  assert.throws(
    () =>
      shares.addTenantShare({
        share: new Secret(new Uint8Array(32)),
        authTag: new Uint8Array(47),
      }),
    PayloadError,
  );
});
