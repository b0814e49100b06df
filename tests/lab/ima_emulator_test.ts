import assert from "node:assert/strict";
import { bootAggregate, ImaEmulator, imaNgTemplate } from "./ima_emulator.ts";
import { LabDirectory } from "./lab_directory.ts";
import { type Bank, type Bytes, digestOf, filledPcr } from "./pcr_bank.ts";

/** A kernel's list of 826 ima-ng entries, and what PCR 10 is after them. */
const RUST_KEYLIME = "rust-keylime-826.ascii";
const RUST_KEYLIME_PCR10: Readonly<Partial<Record<Bank, string>>> = {
  sha1: "82231c67a69da98dc5b3aa10f6343d33109225fc",
  sha256: "c4a065637fc6a7c55f2811dd06cb45dd037133be2b3dc5c3e6fbe6bf061db724",
  sha384: "cd3b31be56970702d736d8faebcf9c0ad90961e38a4922975b3f4cce4fa10609" +
    "6c51bb5ef1b8dc41519ed18bd61afae5",
};

/** A list with entries of several templates, violations among them. */
const OWN = "own-ng-sig-buf.ascii";

function readList(name: string): string {
  const url = new URL(`../fixtures/ima/${name}`, import.meta.url);
  return Deno.readTextFileSync(url);
}

interface NgEntry {
  readonly templateHash: string;
  readonly algorithm: Bank;
  readonly digest: Bytes;
  readonly path: string;
}

/** The ima-ng entries of a list. */
function ngEntries(list: string): NgEntry[] {
  const form = /^10 ([0-9a-f]{40}) ima-ng (sha1|sha256):([0-9a-f]+) (.*)$/gm;
  return [...list.matchAll(form)].map((
    [, templateHash = "", algorithm, hex = "", path = ""],
  ) => ({
    templateHash,
    algorithm: algorithm === "sha1" ? "sha1" : "sha256",
    digest: Uint8Array.fromHex(hex),
    path,
  }));
}

/** PCRs that are extended in memory. */
class Pcr10 {
  readonly values = new Map<Bank, Bytes>();
  readonly extend = (
    pcr: number,
    digests: ReadonlyMap<Bank, Bytes>,
  ): Promise<void> => {
    assert.equal(pcr, 10);
    for (const [bank, digest] of digests) {
      const before = this.values.get(bank) ?? filledPcr(bank);
      this.values.set(bank, digestOf(bank, before, digest));
    }
    return Promise.resolve();
  };
}

const ZEROS = { algorithm: "sha1", digest: filledPcr("sha1") } as const;

Deno.test("ImaEmulator writes and measures as the kernel did", async () => {
  await using directory = await LabDirectory.make();
  const list = readList(RUST_KEYLIME);
  const [first, ...rest] = ngEntries(list);
  assert.ok(first);
  const pcr10 = new Pcr10();
  const ima = await ImaEmulator.start({
    file: directory.path("list"),
    banks: ["sha1", "sha256", "sha384"],
    extend: pcr10.extend,
    bootAggregate: first,
  });
  for (const entry of rest) await ima.appendDigest(entry.path, entry);
  assert.equal(ima.entryCount, 826);
  assert.equal(await Deno.readTextFile(ima.file), list);
  const values = [...pcr10.values].map((
    [bank, value],
  ) => [bank, value.toHex()]);
  assert.deepEqual(Object.fromEntries(values), RUST_KEYLIME_PCR10);
});

Deno.test("imaNgTemplate() gives what template hashes are made over", () => {
  const entries = ngEntries(readList(OWN));
  const measured = entries.filter(({ templateHash }) =>
    /[^0]/.test(templateHash)
  );
  assert.equal(measured.length, 13);
  for (const entry of measured) {
    const template = imaNgTemplate(entry.path, entry);
    assert.equal(digestOf("sha1", template).toHex(), entry.templateHash);
  }
});

Deno.test("ImaEmulator.append() measures content by its SHA-256", async () => {
  await using directory = await LabDirectory.make();
  const ima = await ImaEmulator.start({
    file: directory.path("list"),
    banks: [],
    extend: () => Promise.resolve(),
    bootAggregate: ZEROS,
  });
  await ima.append("/bin/a b", "abc");
  const [, line = ""] = (await Deno.readTextFile(ima.file)).split("\n");
  assert.match(
    line,
    /^10 [0-9a-f]{40} ima-ng sha256:ba7816bf[0-9a-f]{56} \/bin\/a b$/,
  );
});

Deno.test("ImaEmulator.violation() writes zeros and extends ones", async () => {
  await using directory = await LabDirectory.make();
  const extended: ReadonlyMap<Bank, Bytes>[] = [];
  const ima = await ImaEmulator.start({
    file: directory.path("list"),
    banks: ["sha256"],
    extend: (_, digests) => Promise.resolve(void extended.push(digests)),
    bootAggregate: ZEROS,
  });
  await ima.violation("/var/log/x");
  const [, line = ""] = (await Deno.readTextFile(ima.file)).split("\n");
  assert.match(line, /^10 0{40} ima-ng sha1:0{40} \/var\/log\/x$/);
  assert.equal(extended.at(-1)?.get("sha256")?.toHex(), "ff".repeat(32));
});

Deno.test("ImaEmulator never lets the PCR be ahead of the list", async () => {
  await using directory = await LabDirectory.make();
  const file = directory.path("list");
  let extensions = 0;
  const ima = await ImaEmulator.start({
    file,
    banks: ["sha256"],
    extend: async () => {
      const lines = (await Deno.readTextFile(file)).split("\n").length - 1;
      assert.equal(lines, ++extensions);
    },
    bootAggregate: ZEROS,
  });
  await Promise.all(["/a", "/b", "/c"].map((path) => ima.append(path, path)));
  assert.equal(extensions, 4);
});

Deno.test("bootAggregate() covers PCR 0 to 9, in SHA-1 only 0 to 7", () => {
  const touched = new Map([[8, Uint8Array.of(1)]]);
  const seven = bootAggregate("sha1", touched).digest;
  assert.deepEqual(seven, digestOf("sha1", new Uint8Array(8 * 20)));
  const nine = bootAggregate("sha256", touched).digest;
  const zeros = new Uint8Array(8 * 32);
  const want = digestOf("sha256", zeros, Uint8Array.of(1), new Uint8Array(32));
  assert.deepEqual(nine, want);
});
