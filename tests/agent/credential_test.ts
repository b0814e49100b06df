import assert from "node:assert/strict";
import fc from "fast-check";
import {
  authTag,
  CredentialError,
  parseCredential,
} from "../../agent/credential.ts";

const CREDENTIALS = new URL("../fixtures/tpm/credentials/", import.meta.url);

/** A credential of another program, in one of the spellings of the fixtures. */
interface Given {
  readonly name: string;
  readonly blob_hex?: string;
  readonly keylime_blob_hex?: string;
  readonly expected_hex?: string;
}

async function given(file: string): Promise<Given[]> {
  return JSON.parse(await Deno.readTextFile(new URL(file, CREDENTIALS)));
}

function blobOf(one: Given): Uint8Array | undefined {
  const hex = one.blob_hex ?? one.keylime_blob_hex ?? one.expected_hex;
  return hex === undefined ? undefined : Uint8Array.fromHex(hex);
}

const FILES = [
  "lab-a-credentials.json",
  "lab-a-activation-known-seed.json",
  "software-ek-a.json",
  "keylime-makecredential.json",
];

/** A credential with parts of these sizes. */
function blobWith(identity: number, secret: number): string {
  const size = (value: number): number[] => [value >>> 8, value & 0xff];
  return Uint8Array.from([
    ...[0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1],
    ...size(identity),
    ...Array<number>(identity).fill(0x11),
    ...size(secret),
    ...Array<number>(secret).fill(0x22),
  ]).toBase64();
}

Deno.test("parseCredential() takes apart what other programs made", async (t) => {
  let count = 0;
  for (const file of FILES) {
    for (const one of await given(file)) {
      const blob = blobOf(one);
      if (blob === undefined) continue;
      count++;
      await t.step(`${file} ${one.name}`, () => {
        const { credentialBlob, secret } = parseCredential(blob.toBase64());
        const size = blob.subarray(8, 10).toHex();
        assert.equal(credentialBlob.length, parseInt(size, 16));
        const secretAt = 10 + credentialBlob.length;
        assert.equal(
          credentialBlob.toHex(),
          blob.subarray(10, secretAt).toHex(),
        );
        assert.equal(secret.toHex(), blob.subarray(secretAt + 2).toHex());
      });
    }
  }
  assert.equal(count, 16);
});

Deno.test("parseCredential() takes the emulator's credential file", async () => {
  const blob = await Deno.readFile(
    new URL("keylime-emulator/mkcred.out", CREDENTIALS),
  );
  const { credentialBlob, secret } = parseCredential(blob.toBase64());
  assert.equal(10 + credentialBlob.length + 2 + secret.length, blob.length);
});

Deno.test("parseCredential() refuses malformed credentials with a reason", async (t) => {
  const rows: readonly {
    readonly name: string;
    readonly blob_b64: string;
    readonly demanded: string;
  }[] = JSON.parse(
    await Deno.readTextFile(new URL("malformed-blobs-a.json", CREDENTIALS)),
  );
  assert.equal(rows.length, 12);
  for (const { name, blob_b64, demanded } of rows) {
    await t.step(name, () => {
      const parse = (): unknown => parseCredential(blob_b64);
      if (demanded.startsWith("parses")) return void parse();
      assert.throws(parse, (error) => {
        assert.ok(error instanceof CredentialError, String(error));
        assert.match(error.message, /^The credential/);
        return true;
      });
    });
  }
});

Deno.test("parseCredential() refuses what no TPM could take", async (t) => {
  const rows = [
    { name: "no Base64", text: "utzA3g*" },
    { name: "identity object over its maximum", text: blobWith(133, 256) },
    { name: "secret over its maximum", text: blobWith(68, 513) },
    { name: "empty secret", text: blobWith(68, 0) },
  ];
  for (const { name, text } of rows) {
    await t.step(name, () => {
      assert.throws(() => parseCredential(text), CredentialError);
    });
  }
  await t.step("largest parts pass", () => {
    assert.equal(parseCredential(blobWith(132, 512)).secret.length, 512);
  });
});

Deno.test("parseCredential() throws nothing but CredentialError, whatever the text", () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  const headed = bytes.map((rest) =>
    Uint8Array.from([0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1, 0, ...rest])
  );
  const texts = fc.oneof(
    fc.string(),
    bytes.map((b) => b.toBase64()),
    headed.map((b) => b.toBase64()),
  );
  fc.assert(fc.property(texts, (text) => {
    try {
      parseCredential(text);
    } catch (error) {
      assert.ok(error instanceof CredentialError, String(error));
    }
  }));
});

Deno.test("authTag() gives the vector of contract section 14", () => {
  const certInfo = new TextEncoder().encode("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345");
  assert.equal(
    authTag(certInfo, "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"),
    "99371ba1dbc4052a34e8eda70f0c10ec0701be7cdb3f7f99671aee66fa55624a" +
      "49ccd038a7f9d8924aa3e95c14209853",
  );
});
