import assert from "node:assert/strict";
import { inspect } from "node:util";
import { PayloadError } from "../../payload/error.ts";
import { Secret } from "../../payload/secret.ts";

Deno.test("Secret shows nothing of itself, however it is printed", async (t) => {
  const secret = new Secret(new TextEncoder().encode("SESAME"));
  const rows = {
    "template": `${secret}`,
    "String()": String(secret),
    "JSON": JSON.stringify({ secret }),
    "Deno.inspect()": Deno.inspect({ secret }, { depth: 10, showHidden: true }),
    "inspect()": inspect({ secret }, { depth: 10, showHidden: true }),
    "keys": JSON.stringify(Object.getOwnPropertyNames(secret)),
    "spread": JSON.stringify({ ...secret }),
    "error": Deno.inspect(new PayloadError("share", "x", { cause: secret })),
  };
  for (const [name, text] of Object.entries(rows)) {
    await t.step(name, () => {
      assert.doesNotMatch(text, /SESAME|83|53/);
    });
  }
});

Deno.test("Secret.wipe() makes the bytes zero, but not those of a copy", () => {
  const bytes = new Uint8Array([1, 2, 3]);
  const secret = new Secret(bytes);
  const copy = secret.copy();
  secret.wipe();
  assert.deepEqual(bytes, new Uint8Array(3));
  assert.deepEqual(copy.use((kept) => [...kept]), [1, 2, 3]);
  assert.equal(copy.length, 3);
});
