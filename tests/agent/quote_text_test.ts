import assert from "node:assert/strict";
import fc from "fast-check";
import { encodePcrBlob, quoteText } from "../../agent/quote_text.ts";
import {
  type Bytes,
  decode,
  DIGEST_SIZES,
  TPM_ALG_ID,
  type TpmHash,
  TPMT_SIGNATURE,
} from "../../tpm/mod.ts";

const QUOTES = new URL("../fixtures/tpm/quotes/", import.meta.url);

/** A quote of another program, as far as it is looked at here. */
interface GivenQuote {
  readonly attest_hex: string;
  readonly signature_tpmt_hex: string;
  readonly pcrs: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly pcr_blob_b64: string;
  readonly keylime_quote_string?: string;
}

async function givenQuote(name: string): Promise<GivenQuote> {
  return JSON.parse(await Deno.readTextFile(new URL(name, QUOTES)));
}

function bankOf(quote: GivenQuote): [TpmHash, Map<number, Bytes>] {
  const [[hash, pcrs] = ["", {}]] = Object.entries(quote.pcrs);
  const values = Object.entries(pcrs)
    .map(([pcr, hex]) => [Number(pcr), Uint8Array.fromHex(hex)] as const);
  return [hash as TpmHash, new Map(values)];
}

function textOf(quote: GivenQuote): string {
  const [hash, values] = bankOf(quote);
  return quoteText({
    quoted: Uint8Array.fromHex(quote.attest_hex),
    signature: decode(
      TPMT_SIGNATURE,
      Uint8Array.fromHex(quote.signature_tpmt_hex),
    ),
    hash,
    values,
  });
}

/** `pcrs` in bank `hash`, each register full of its own number plus one. */
function valuesOf(hash: TpmHash, pcrs: readonly number[]): Map<number, Bytes> {
  return new Map(pcrs.map((pcr) => [
    pcr,
    new Uint8Array(DIGEST_SIZES[hash]).fill(pcr + 1),
  ]));
}

/** The same blob by contract section 3.6, put together from text. */
function blobByContract(
  hash: TpmHash,
  values: ReadonlyMap<number, Bytes>,
): string {
  const little = (value: number, bytes: number): string =>
    Array.from(
      { length: bytes },
      (_, at) =>
        (Math.floor(value / 256 ** at) % 256).toString(16).padStart(2, "0"),
    )
      .join("");
  const bits = [...values.keys()].reduce((sum, pcr) => sum + 2 ** pcr, 0);
  const slots = [...values.values()].map((value) =>
    (little(value.length, 2) + value.toHex()).padEnd(132, "0")
  );
  const lists: string[] = [];
  for (let at = 0; at < slots.length; at += 8) {
    const part = slots.slice(at, at + 8);
    lists.push(little(part.length, 4) + part.join("").padEnd(8 * 132, "0"));
  }
  return [
    little(1, 4),
    little(TPM_ALG_ID.numbers[hash], 2) + "03" + little(bits, 3) + "0000",
    "0".repeat(240),
    little(lists.length, 4),
    ...lists,
  ].join("");
}

Deno.test("encodePcrBlob() has the size and layout of contract section 3.6", async (t) => {
  const all = Array.from({ length: 24 }, (_, pcr) => pcr);
  const rows = [
    { name: "1 register", pcrs: [16], size: 668 },
    { name: "8 registers", pcrs: all.slice(0, 8), size: 668 },
    { name: "9 registers", pcrs: [...all.slice(0, 8), 16], size: 1200 },
    { name: "24 registers", pcrs: all, size: 1732 },
  ];
  for (const { name, pcrs, size } of rows) {
    for (const hash of ["sha1", "sha256", "sha384", "sha512"] as const) {
      await t.step(`${name}, ${hash}`, () => {
        const values = valuesOf(hash, pcrs);
        const blob = encodePcrBlob(hash, values);
        assert.equal(blob.length, size);
        assert.equal(blob.toHex(), blobByContract(hash, values));
      });
    }
  }
});

Deno.test("encodePcrBlob() has the head of contract section 14 for {10, 16}", () => {
  const blob = encodePcrBlob("sha256", valuesOf("sha256", [10, 16])).toHex();
  assert.ok(blob.startsWith("010000000b00030004010000"));
  assert.equal(blob.slice(264, 284), "01000000020000002000");
});

Deno.test("encodePcrBlob() follows the contract for any set of registers", () => {
  const hashes = fc.constantFrom<TpmHash>("sha1", "sha256", "sha384", "sha512");
  const sets = fc.uniqueArray(fc.nat(23), { minLength: 1, maxLength: 24 });
  fc.assert(fc.property(hashes, sets, (hash, set) => {
    const values = valuesOf(hash, set.sort((a, b) => a - b));
    assert.equal(
      encodePcrBlob(hash, values).toHex(),
      blobByContract(hash, values),
    );
  }));
});

Deno.test("encodePcrBlob() writes what tpm2_quote wrote for the same values", async (t) => {
  const names = [
    "keylime-test-data-quote.json",
    "keylime-unit-checkquote.json",
    "lab-a-quote-ecc.json",
    "lab-a-quote-rsa.json",
    "lab-a-quote16.json",
    "rust-keylime-test-quote.json",
  ];
  for (const name of names) {
    await t.step(name, async () => {
      const quote = await givenQuote(name);
      const blob = encodePcrBlob(...bankOf(quote));
      assert.equal(blob.toBase64(), quote.pcr_blob_b64);
    });
  }
});

Deno.test("quoteText() puts a quote together as other Keylime programs do", async (t) => {
  for (const name of ["lab-a-quote-ecc.json", "lab-a-quote-rsa.json"]) {
    await t.step(name, async () => {
      const quote = await givenQuote(name);
      assert.equal(textOf(quote), quote.keylime_quote_string);
    });
  }
  await t.step("rust-keylime's own", async () => {
    const text = await Deno.readTextFile(
      new URL("../../agent/rust-keylime-test-quote.txt", QUOTES),
    );
    const quote = await givenQuote("rust-keylime-test-quote.json");
    assert.equal(textOf(quote), text.trim());
  });
});
