import assert from "node:assert/strict";
import fc from "fast-check";
import {
  AgentDataError,
  formatAgentData,
  parseAgentData,
} from "../../agent/agent_data.ts";
import { decode, encode, TPM2B_PUBLIC, TPMT_PUBLIC } from "../../tpm/mod.ts";

const CREDENTIALS = new URL("../fixtures/tpm/credentials/", import.meta.url);

/** A key that tpm2-tools made: RSA first, then ECC. */
interface GivenKey {
  readonly name: string;
  readonly ak_public_tpm2b_hex: string;
  readonly ak_private_tpm2b_hex: string;
}

const KEYS: readonly GivenKey[] = JSON.parse(
  await Deno.readTextFile(new URL("lab-a-credentials.json", CREDENTIALS)),
);

function key(name: "rsa" | "ecc"): { area: Uint8Array; secret: Uint8Array } {
  const given = KEYS.find((one) => one.name === name);
  assert.ok(given);
  return {
    area: Uint8Array.fromHex(given.ak_public_tpm2b_hex).subarray(2),
    secret: Uint8Array.fromHex(given.ak_private_tpm2b_hex).subarray(2),
  };
}

const EK_HASH = "0123456789abcdef".repeat(4);

/** An array as rust-keylime's JSON library prints it one level deep. */
function printed(bytes: Iterable<number>): string {
  return `[\n${Array.from(bytes, (byte) => `    ${byte}`).join(",\n")}\n  ]`;
}

/** The file that rust-keylime writes, by contract section 2.3. */
function rustText(
  name: "rsa" | "ecc",
  [hash, scheme]: readonly [hash: string, scheme: string],
): string {
  const { area, secret } = key(name);
  const ascii = Array.from(EK_HASH, (c) => c.charCodeAt(0));
  return `{
  "ak_hash_alg": "${hash}",
  "ak_sign_alg": "${scheme}",
  "ak_public": ${printed(area)},
  "ak_private": ${printed(secret)},
  "ek_hash": ${printed(ascii)}
}`;
}

function dataOf(name: "rsa" | "ecc"): ReturnType<typeof parseAgentData> {
  const { area, secret } = key(name);
  return {
    hash: "sha256",
    scheme: name === "rsa" ? "rsassa" : "ecdsa",
    ekHash: EK_HASH,
    attestationKey: {
      publicArea: decode(TPMT_PUBLIC, area),
      privateArea: Uint8Array.from(secret),
    },
  };
}

Deno.test("formatAgentData() writes rust-keylime's file to the byte", async (t) => {
  await t.step("RSA", () => {
    const data = { ...dataOf("rsa"), scheme: "rsassa" } as const;
    assert.equal(formatAgentData(data), rustText("rsa", ["Sha256", "RsaSsa"]));
  });
  await t.step("ECC", () => {
    const data = { ...dataOf("ecc"), scheme: "ecdsa" } as const;
    assert.equal(formatAgentData(data), rustText("ecc", ["Sha256", "EcDsa"]));
  });
});

Deno.test("parseAgentData() reads rust-keylime's file", async (t) => {
  const rows = [
    ["rsa", "Sha256", "sha256", "RsaSsa", "rsassa"],
    ["ecc", "Sha256", "sha256", "EcDsa", "ecdsa"],
    ["rsa", "Sha1", "sha1", "RsaPss", "rsapss"],
    ["rsa", "Sha384", "sha384", "RsaSsa", "rsassa"],
    ["ecc", "Sha512", "sha512", "EcSchnorr", "ecschnorr"],
    ["ecc", "Sm3_256", "sm3_256", "EcDsa", "ecdsa"],
  ] as const;
  for (const [name, hashName, hash, schemeName, scheme] of rows) {
    await t.step(`${name} ${hashName} ${schemeName}`, () => {
      assert.deepEqual(
        parseAgentData(rustText(name, [hashName, schemeName])),
        { ...dataOf(name), hash, scheme },
      );
    });
  }
  await t.step("with other white space and more keys", () => {
    const compact = {
      ...JSON.parse(rustText("rsa", ["Sha256", "RsaSsa"])),
      later: { version: 2 },
    };
    assert.deepEqual(parseAgentData(JSON.stringify(compact)), dataOf("rsa"));
  });
});

Deno.test("parseAgentData() says what is wrong with a damaged file", async (t) => {
  const good = JSON.parse(rustText("rsa", ["Sha256", "RsaSsa"]));
  const without = (name: string): string => {
    const { [name]: _, ...rest } = good;
    return JSON.stringify(rest);
  };
  const changed = (change: Readonly<Record<string, unknown>>): string =>
    JSON.stringify({ ...good, ...change });
  const whole = JSON.stringify(good);
  const rows: readonly (readonly [name: string, text: string, want: RegExp])[] =
    [
      ["empty", "", /^it is damaged$/],
      ["cut off", whole.slice(0, 700), /^it is damaged$/],
      ["zeros after a crash", "\0".repeat(512), /^it is damaged$/],
      ["null", "null", /^it is not a JSON object$/],
      ["a list", "[]", /^it is not a JSON object$/],
      ["a text", '"Sha256"', /^it is not a JSON object$/],
      ["no hash", without("ak_hash_alg"), /^"ak_hash_alg" is none of Sha1, /],
      ["no scheme", without("ak_sign_alg"), /^"ak_sign_alg" is none of RsaSsa/],
      ["no public area", without("ak_public"), /^"ak_public" is not an array/],
      ["no private area", without("ak_private"), /^"ak_private" is not/],
      ["no EK hash", without("ek_hash"), /^"ek_hash" is not an array/],
      [
        "another case",
        changed({ ak_hash_alg: "sha256" }),
        /^"ak_hash_alg" is none of Sha1, Sha256, /,
      ],
      [
        "a name of Object",
        changed({ ak_sign_alg: "constructor" }),
        /^"ak_sign_alg" is none of/,
      ],
      ["a number", changed({ ak_hash_alg: 11 }), /^"ak_hash_alg" is none of/],
      [
        "a byte too large",
        changed({ ak_private: [256] }),
        /^"ak_private" is not an array of byte values$/,
      ],
      ["a negative byte", changed({ ak_private: [-1] }), /^"ak_private" is/],
      ["half a byte", changed({ ak_private: [0.5] }), /^"ak_private" is/],
      ["bytes as text", changed({ ak_private: ["1"] }), /^"ak_private" is/],
      ["Base64", changed({ ak_private: "AAEC" }), /^"ak_private" is not/],
      [
        "an endless key",
        changed({ ak_private: Array(5000).fill(0) }),
        /^"ak_private" is not an array/,
      ],
      [
        "a cut public area",
        changed({ ak_public: good.ak_public.slice(0, 100) }),
        /^it is damaged$/,
      ],
      [
        "a public area with a rest",
        changed({ ak_public: [...good.ak_public, 0] }),
        /^it is damaged$/,
      ],
    ];
  for (const [name, text, want] of rows) {
    await t.step(name, () => {
      assert.throws(() => parseAgentData(text), (error) => {
        assert.ok(error instanceof AgentDataError, String(error));
        assert.match(error.message, want);
        return true;
      });
    });
  }
});

Deno.test("parseAgentData() undoes formatAgentData(), whatever the key's bytes", () => {
  const { publicArea } = dataOf("rsa").attestationKey;
  const secrets = fc.uint8Array({ maxLength: 4096 })
    .map((bytes) => Uint8Array.from(bytes));
  const hashes = fc.constantFrom("sha1", "sha256", "sha384", "sha512");
  const texts = fc.stringMatching(/^[0-9a-f]{64}$/);
  fc.assert(fc.property(hashes, texts, secrets, (hash, ekHash, privateArea) => {
    const data = {
      hash,
      ekHash,
      scheme: "rsassa",
      attestationKey: { publicArea, privateArea },
    } as const;
    assert.deepEqual(parseAgentData(formatAgentData(data)), data);
  }));
});

Deno.test("parseAgentData() throws nothing but AgentDataError, whatever the text", () => {
  const values = fc.json();
  const damaged = fc.record({
    ak_hash_alg: fc.constantFrom("Sha256", "Sha0"),
    ak_sign_alg: fc.constantFrom("RsaSsa", "RsaSss"),
    ak_public: fc.array(fc.integer({ min: -1, max: 256 })),
    ak_private: fc.array(fc.nat(255)),
    ek_hash: fc.array(fc.nat(255)),
  }).map((value) => JSON.stringify(value));
  fc.assert(fc.property(fc.oneof(fc.string(), values, damaged), (text) => {
    try {
      parseAgentData(text);
    } catch (error) {
      assert.ok(error instanceof AgentDataError, String(error));
    }
  }));
});

Deno.test("parseAgentData() keeps a public area as it is", () => {
  const { area } = key("ecc");
  const { attestationKey } = parseAgentData(
    rustText("ecc", ["Sha256", "EcDsa"]),
  );
  assert.equal(
    encode(TPMT_PUBLIC, attestationKey.publicArea).toHex(),
    area.toHex(),
  );
  assert.equal(
    encode(TPM2B_PUBLIC, attestationKey.publicArea).length,
    area.length + 2,
  );
});
