import assert from "node:assert/strict";
import { agentId } from "../../agent/agent_id.ts";
import { recordingLog } from "../api/support/attester.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";

const UUID = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000";
const EK_HASH = "0123456789abcdef".repeat(4);
const { log } = recordingLog();

Deno.test("agentId() takes the configured id as it is", async () => {
  const source = { kind: "literal", value: UUID } as const;
  const directory = "/nonexistent";
  assert.equal(
    await agentId(source, { directory, ekHash: EK_HASH, log }),
    UUID,
  );
});

Deno.test("agentId() is the endorsement key's hash if so configured", async () => {
  const source = { kind: "hash_ek" } as const;
  const directory = "/nonexistent";
  assert.equal(
    await agentId(source, { directory, ekHash: EK_HASH, log }),
    EK_HASH,
  );
});

Deno.test("agentId() generates an id once and keeps it over restarts", async () => {
  await using place = await temporaryDirectory();
  const { log, lines } = recordingLog();
  const options = { directory: place.path, ekHash: EK_HASH, log };
  const first = await agentId({ kind: "generate" }, options);
  assert.match(first, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]/);
  assert.deepEqual(lines, [`info Generated a new UUID: ${first}`]);
  assert.equal(await agentId({ kind: "generate" }, options), first);
  assert.equal(lines.length, 1);
  const { mode } = await Deno.stat(`${place.path}/agent_uuid`);
  assert.equal((mode ?? 0) & 0o777, 0o600);
});

Deno.test("agentId() reads a kept id in any of the usual spellings", async (t) => {
  for (
    const text of [
      UUID,
      `${UUID}\n`,
      `  ${UUID.toUpperCase()}\r\n`,
      `{${UUID}}\n`,
      `urn:uuid:${UUID}`,
    ]
  ) {
    await t.step(JSON.stringify(text), async () => {
      await using place = await temporaryDirectory();
      await Deno.writeTextFile(`${place.path}/agent_uuid`, text);
      const options = { directory: place.path, ekHash: EK_HASH, log };
      assert.equal(await agentId({ kind: "generate" }, options), UUID);
    });
  }
});

Deno.test("agentId() refuses a kept id that is none, and says what to do", async (t) => {
  for (const text of ["", "\n", "agent-1", `${UUID}\n${UUID}`, "\x1b[31m"]) {
    await t.step(JSON.stringify(text), async () => {
      await using place = await temporaryDirectory();
      const path = `${place.path}/agent_uuid`;
      await Deno.writeTextFile(path, text);
      const options = { directory: place.path, ekHash: EK_HASH, log };
      await assert.rejects(
        agentId({ kind: "generate" }, options),
        (error: Error) => {
          assert.ok(error.message.startsWith(path));
          assert.match(error.message, /is no UUID; delete the file/);
          // deno-lint-ignore no-control-regex -- that is what must not be there
          assert.doesNotMatch(error.message, /[\x00-\x1f]/);
          return true;
        },
      );
    });
  }
});

Deno.test("agentId() names the file that it cannot write", async () => {
  const directory = "/nonexistent/keylime";
  await assert.rejects(
    agentId({ kind: "generate" }, { directory, ekHash: EK_HASH, log }),
    /Cannot write "\/nonexistent\/keylime\/agent_uuid"/,
  );
});
