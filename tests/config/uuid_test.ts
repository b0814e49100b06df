import assert from "node:assert/strict";
import fc from "fast-check";
import { parseUuid } from "../../config/uuid.ts";

const UUID = "d432fbb3-d2f1-4a97-9ef7-75bd81c00001";

Deno.test("parseUuid() brings every form to the canonical one", () => {
  fc.assert(fc.property(fc.uuid(), (uuid) => {
    const forms = [uuid, uuid.replaceAll("-", ""), `{${uuid}}`];
    for (const form of [...forms, `urn:uuid:${uuid}`]) {
      assert.equal(parseUuid(form), uuid);
      assert.equal(parseUuid(form.toUpperCase()), uuid);
    }
  }));
});

Deno.test("parseUuid() refuses everything else", async (t) => {
  const rows = [
    "",
    "hostname",
    "has space/slash",
    UUID.slice(1),
    `${UUID}0`,
    ` ${UUID}`,
    `${UUID}\n`,
    `{${UUID}`,
    `{${UUID.replaceAll("-", "")}}`,
    UUID.replace("-", ""),
    UUID.replace("d", "g"),
    `urn:uuid:{${UUID}}`,
  ];
  for (const text of rows) {
    await t.step(JSON.stringify(text), () => {
      assert.equal(parseUuid(text), undefined);
    });
  }
});
