import assert from "node:assert/strict";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { PayloadDelivery } from "../../payload/delivery.ts";
import { recordingLog } from "../api/support/attester.ts";
import { CONFIG } from "./delivery_kit.ts";
import { mountTest } from "./mount_namespace.ts";
import { sealed } from "./sealing.ts";
import { mountForTest, type TestMount } from "./test_mount.ts";
import { zip } from "./zip_file.ts";

const INTERRUPTED = fileURLToPath(new URL("./interrupted.ts", import.meta.url));

const FIRST = zip([{ name: "first", content: "first" }]);

/** What the whole first or second delivery leaves. */
const OF_FIRST = [
  "/unzipped/decrypted_payload",
  "/unzipped/derived_tci_key",
  "/unzipped/first",
];
const OF_SECOND = [
  "/unzipped/autorun.sh",
  "/unzipped/d",
  "/unzipped/d/third",
  "/unzipped/decrypted_payload",
  "/unzipped/derived_tci_key",
  "/unzipped/second",
];

/** Starts anew and, if told, delivers `plain`; returns the log. */
async function start(
  { place }: TestMount,
  plain?: Uint8Array,
): Promise<readonly string[]> {
  const { log, lines } = recordingLog();
  await using delivery = await PayloadDelivery.open({
    config: CONFIG,
    place,
    onDelivered: () => {},
    log,
  });
  if (plain !== undefined) delivery.enqueue(sealed(plain));
  await delivery.idle();
  return lines;
}

/** Delivers in a process of its own that dies at log line `last`. */
async function dieAt(mount: TestMount, last: number): Promise<string | null> {
  const { signal } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", INTERRUPTED, mount.path, String(last)],
    cwd: dirname(mount.path),
    env: { TMPDIR: dirname(mount.path) },
    stdin: "null",
  }).output();
  return signal;
}

async function files(mount: TestMount): Promise<string[]> {
  return Object.keys(await mount.tree()).filter((path) => path !== "/unzipped")
    .sort();
}

mountTest(
  "a delivery that dies at any step leaves the old payload or the new one, and the next works",
  async (t) => {
    await using mount = await mountForTest();
    const seen = { first: 0, second: 0, tidied: 0 };
    let isThrough = false;
    for (let last = 1; !isThrough; last++) {
      await t.step(`killed at line ${last}`, async () => {
        await start(mount, FIRST);
        assert.deepEqual(await files(mount), OF_FIRST);
        isThrough = await dieAt(mount, last) !== "SIGKILL";

        const outside = await Array.fromAsync(
          Deno.readDir(dirname(mount.path)),
        );
        assert.deepEqual(outside.map(({ name }) => name), ["secure"]);
        const lines = await start(mount);
        if (lines.some((line) => line.startsWith("info Removed what an"))) {
          seen.tidied++;
        }
        const left = await files(mount);
        if (left.includes("/unzipped/first")) {
          seen.first++;
          assert.deepEqual(left, OF_FIRST);
        } else {
          seen.second++;
          assert.deepEqual(left, OF_SECOND);
        }
        const again = await start(mount, FIRST);
        assert.ok(
          again.some((line) => line.startsWith("info The payload is in")),
        );
        assert.deepEqual(await files(mount), OF_FIRST);
      });
      assert.ok(last < 40, "the delivery never came to its end");
    }
    // Steps before the switch, after it, and in the middle of it.
    assert.ok(
      seen.first >= 8 && seen.second >= 4 && seen.tidied >= 7,
      JSON.stringify(seen),
    );
  },
);

mountTest("a start removes only what deliveries leave", async () => {
  await using mount = await mountForTest();
  const id = crypto.randomUUID();
  for (
    const name of [
      `.unzipped.${id}.new`,
      `.unzipped.${id}.old`,
      "unzipped",
      "mine",
      ".unzipped.mine.old",
    ]
  ) {
    await Deno.mkdir(`${mount.path}/${name}`);
  }
  await start(mount);
  assert.deepEqual(
    Object.keys(await mount.tree()).sort(),
    ["/.unzipped.mine.old", "/mine", "/unzipped"],
  );
});
