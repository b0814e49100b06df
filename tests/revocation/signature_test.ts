import assert from "node:assert/strict";
import fc from "fast-check";
import { RevocationError } from "../../revocation/error.ts";
import { checkSignature, revocationKey } from "../../revocation/signature.ts";
import { openssl } from "../support/openssl.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";
import { GIVEN, readFixture, revocation, signed } from "./signing.ts";

const KEY = revocationKey(GIVEN.certificate_pem);

function refusedFor(problem: string, wanted: RegExp): (e: unknown) => true {
  return (error) => {
    assert.ok(error instanceof RevocationError);
    assert.equal(error.problem, problem);
    assert.match(error.message, wanted);
    return true;
  };
}

Deno.test("checkSignature() agrees with another implementation", async (t) => {
  const good = ["good", "msg-not-json", "msg-empty", "hello"];
  for (const { name, body } of GIVEN.cases) {
    await t.step(name, () => {
      const check = (): void =>
        checkSignature(KEY, { ...body, signature: body.signature ?? "" });
      if (good.includes(name)) check();
      else assert.throws(check, refusedFor("signature", /signature|signed/));
    });
  }
});

Deno.test("checkSignature() accepts what rust-keylime's tests accept", async () => {
  // The certificate ended in 2023, which is nobody's concern.
  const certificate = new URL(
    "../fixtures/crypto/keys/test-cert.pem",
    import.meta.url,
  );
  checkSignature(revocationKey(await Deno.readTextFile(certificate)), {
    msg: await readFixture("rust-keylime-message.json"),
    signature: await readFixture("rust-keylime-message.sig"),
  });
});

Deno.test("checkSignature() accepts what OpenSSL signs, for each size of key", async (t) => {
  await using directory = await temporaryDirectory();
  const at = (name: string): string => `${directory.path}/${name}`;
  await Deno.writeTextFile(at("msg"), "äöü{}");
  for (const bits of [2048, 2056, 3072]) {
    await t.step(`${bits} bits`, async () => {
      await selfSigned(at("key"), at("crt"), "rsa", `rsa_keygen_bits:${bits}`);
      await openssl(
        ...["dgst", "-sha256", "-sign", at("key"), "-out", at("sig")],
        ...["-sigopt", "rsa_padding_mode:pss"],
        ...["-sigopt", "rsa_pss_saltlen:max", at("msg")],
      );
      const key = revocationKey(await Deno.readTextFile(at("crt")));
      const signature = (await Deno.readFile(at("sig"))).toBase64();
      checkSignature(key, { msg: "äöü{}", signature });
      assert.throws(() => checkSignature(key, { msg: "äöü{ }", signature }));
    });
  }
});

Deno.test("checkSignature() refuses what is no signature", async (t) => {
  const { msg, signature } = revocation();
  const rows: readonly (readonly [string, string, RegExp])[] = [
    ["none", "", /not signed; the verifier signs when .* --cert$/],
    ["no Base64", "?".repeat(344), /is not Base64$/],
    ["Base64 for URLs", signature.replace(/[+/]/g, "_"), /is not Base64$/],
    ["no padding", signature.replace(/=+$/, ""), /is not Base64$/],
    ["half of it", signature.slice(0, 172), /is not one by/],
    ["too much", `${signature.slice(0, -2)}AA`, /is not one by/],
    ["hexadecimal", "ab".repeat(256), /is not one by/],
    ["a megabyte", "AAAA".repeat(262_144), /is not Base64$/],
  ];
  for (const [name, text, wanted] of rows) {
    await t.step(name, () => {
      assert.throws(
        () => checkSignature(KEY, { msg, signature: text }),
        refusedFor("signature", wanted),
      );
    });
  }
});

Deno.test("checkSignature() refuses any change of the message", () => {
  const { msg, signature } = signed('{"type":"revocation","é":"\u{1f512}"}');
  fc.assert(fc.property(
    fc.nat({ max: msg.length - 1 }),
    fc.string({ minLength: 0, maxLength: 2 }),
    (at, change) => {
      const changed = msg.slice(0, at) + change + msg.slice(at + 1);
      fc.pre(changed !== msg);
      assert.throws(() => checkSignature(KEY, { msg: changed, signature }));
    },
  ));
});

Deno.test("revocationKey() takes the first certificate of a file", () => {
  const { certificate_pem, other_certificate_pem } = GIVEN;
  const key = revocationKey(
    `subject=/CN=x\r\n${certificate_pem}${other_certificate_pem}`,
  );
  assert.ok(key.equals(KEY));
});

Deno.test("revocationKey() refuses what cannot check a signature", async (t) => {
  await using directory = await temporaryDirectory();
  const [key, crt] = [`${directory.path}/key`, `${directory.path}/crt`];
  const made = async (...algorithm: [string, string]): Promise<string> => {
    await selfSigned(key, crt, ...algorithm);
    return await Deno.readTextFile(crt);
  };
  const none = /holds no usable certificate$/;
  const damaged = GIVEN.certificate_pem.replace("MIICujCC", "MIICujCD");
  const rows: readonly (readonly [string, string, RegExp])[] = [
    ["nothing", "", none],
    ["text", "certificate", none],
    ["a private key", GIVEN.private_key_pem, none],
    ["damaged DER", damaged, none],
    ["half a certificate", GIVEN.certificate_pem.slice(0, 500), none],
    ["an EC key", GIVEN.ec_certificate_pem, /key of type "ec", expected RSA$/],
    [
      "a key for PSS alone",
      await made("rsa-pss", "rsa_keygen_bits:2048"),
      none,
    ],
    [
      "a small key",
      await made("rsa", "rsa_keygen_bits:1024"),
      /has 1024 bits, expected 2048 to 16384$/,
    ],
  ];
  for (const [name, pem, wanted] of rows) {
    await t.step(name, () => {
      assert.throws(
        () => revocationKey(pem),
        refusedFor("certificate", wanted),
      );
    });
  }
});

async function selfSigned(
  key: string,
  certificate: string,
  algorithm: string,
  option: string,
): Promise<void> {
  await openssl(
    ...["req", "-x509", "-nodes", "-subj", "/CN=revocation"],
    ...["-newkey", algorithm, "-pkeyopt", option],
    ...["-keyout", key, "-out", certificate],
  );
}
