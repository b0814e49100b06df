import assert from "node:assert/strict";
import { unpack } from "../../payload/unpack.ts";
import { HOSTILE } from "./hostile.ts";

const LIMITS = {
  room: 1_000_000,
  reserved: ["derived_tci_key", "decrypted_payload"],
};

Deno.test("unpack() takes little memory for any hostile archive", async (t) => {
  for (const { name, payload } of HOSTILE) {
    await t.step(name, async () => {
      const before = Deno.memoryUsage().rss;
      await assert.rejects(unpack(payload, LIMITS));
      const growth = (Deno.memoryUsage().rss - before) / 2 ** 20;
      assert.ok(growth < 32, `resident memory grew by ${growth} MiB`);
    });
  }
});
