import assert from "node:assert/strict";
import fc from "fast-check";
import { PayloadError } from "../../payload/error.ts";
import { isZip, unpack, type UnpackedEntry } from "../../payload/unpack.ts";
import { HOSTILE } from "./hostile.ts";
import { zip } from "./zip_file.ts";

const LIMITS = {
  room: 1_000_000,
  reserved: ["derived_tci_key", "decrypted_payload"],
};

/** Mode and text of each entry, directories with a slash. */
function shown(entries: readonly UnpackedEntry[]): string[] {
  return entries.map(({ path, mode, content }) =>
    content === undefined
      ? `${path}/ ${mode.toString(8)}`
      : `${path} ${mode.toString(8)} ${new TextDecoder().decode(content)}`
  );
}

async function given(name: string): Promise<string[]> {
  const url = new URL(`../fixtures/payload/${name}`, import.meta.url);
  return shown(await unpack(await Deno.readFile(url), LIMITS));
}

Deno.test("unpack() refuses every hostile archive with its reason", async (t) => {
  assert.ok(HOSTILE.length >= 40, `only ${HOSTILE.length}`);
  for (const { name, payload, problem, reason } of HOSTILE) {
    await t.step(name, async () => {
      assert.ok(isZip(payload));
      await assert.rejects(unpack(payload, LIMITS), (error) => {
        assert.ok(error instanceof PayloadError, String(error));
        assert.match(error.message, reason);
        assert.equal(error.problem, problem);
        // deno-lint-ignore no-control-regex -- the log must stay one line
        assert.doesNotMatch(error.message, /[\u0000-\u001f]/);
        return true;
      });
    });
  }
});

Deno.test("unpack() unpacks the given archives", async (t) => {
  const rows: { name: string; want: string[] }[] = [
    {
      name: "zip-a/good.zip",
      want: [
        "autorun.sh 700 #!/bin/sh\necho autorun a > out\n",
        "action_list 600 local_action_a, local_action_b\n",
        'local_action_a.sh 700 #!/bin/sh\ncat "$1"\n',
        "RevocationNotifier-cert.crt 600 see revocation certificate\n",
      ],
    },
    {
      name: "zip-a/directories.zip",
      want: ["d-a/ 700", `d-a/e/f.txt 600 ${"a".repeat(50)}`],
    },
    { name: "zip-a/utf8-name.zip", want: ["gr\u00fc\u00df-a.txt 600 x"] },
    { name: "zip-a/empty.zip", want: [] },
  ];
  for (const { name, want } of rows) {
    await t.step(name, async () => assert.deepEqual(await given(name), want));
  }
  await t.step("rust-payload.zip", async () => {
    const [only, ...others] = await given("rust-payload.zip");
    assert.match(only ?? "", /^autorun\.sh \d00 /);
    assert.deepEqual(others, []);
  });
});

Deno.test("unpack() keeps only the owner's permissions", async (t) => {
  const rows = [
    [0o100755, 0o700],
    [0o104755, 0o700],
    [0o106777, 0o700],
    [0o100644, 0o600],
    [0o100400, 0o400],
    [0o100000, 0o600],
    [0, 0o600],
    [0o000644, 0o600],
  ] as const;
  for (const [mode, want] of rows) {
    await t.step(mode.toString(8), async () => {
      const [entry] = await unpack(zip([{ name: "x", mode }]), LIMITS);
      assert.equal(entry?.mode, want);
    });
  }
});

Deno.test("unpack() takes what DOS and Windows make", async () => {
  const archive = zip([
    { name: "d/", host: 0, mode: 0, dosAttributes: 0x10 },
    { name: "d/x", host: 0, mode: 0, dosAttributes: 0x20, content: "c" },
  ]);
  assert.deepEqual(shown(await unpack(archive, LIMITS)), [
    "d/ 700",
    "d/x 600 c",
  ]);
});

Deno.test("unpack() gives back what was packed", async () => {
  const part = fc.stringMatching(/^[a-z\u00e4\u{1f512} .-]{1,8}$/u)
    .filter((name) => !/^\.\.?$/.test(name))
    .map((name) => name.normalize("NFC"));
  const entry = fc.record({
    name: part,
    content: fc.uint8Array({ maxLength: 300 }),
    isDeflated: fc.boolean(),
  });
  const entries = fc.uniqueArray(entry, {
    selector: ({ name }) => name,
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(entries, async (packed) => {
      const unpacked = await unpack(zip(packed), LIMITS);
      assert.deepEqual(
        unpacked.map(({ path, content }) => ({ path, content })),
        packed.map(({ name, content }) => ({
          path: name,
          content: new Uint8Array(content),
        })),
      );
    }),
    { numRuns: 100 },
  );
});

Deno.test("unpack() survives any damage: a result within bounds or PayloadError", async () => {
  const good = zip([
    { name: "a", content: "some content", isDeflated: true },
    { name: "d/b", content: "x" },
  ]);
  const damage = fc.array(
    fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })),
    { minLength: 1, maxLength: 4 },
  );
  await fc.assert(
    fc.asyncProperty(damage, async (changes) => {
      const bytes = good.slice();
      for (const [at, byte] of changes) bytes[at] = byte;
      try {
        for (const { path, mode } of await unpack(bytes, LIMITS)) {
          assert.doesNotMatch(path, /^\/|(^|\/)\.\.?(\/|$)|\\|\0/);
          assert.equal(mode & ~0o700, 0);
        }
      } catch (error) {
        assert.ok(error instanceof PayloadError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("isZip() tells plain files from archives", async (t) => {
  const rows = [
    ["", false],
    ["PK", false],
    ["PK\x03\x04", true],
    ["PK\x05\x06", true],
    ["PK\x01\x02", false],
    ["#!/bin/sh\n", false],
    [" PK\x03\x04", false],
  ] as const;
  for (const [text, want] of rows) {
    await t.step(JSON.stringify(text), () => {
      assert.equal(isZip(new TextEncoder().encode(text)), want);
    });
  }
});
