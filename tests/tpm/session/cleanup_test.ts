import assert from "node:assert/strict";
import { SessionError } from "../../../tpm/authorization.ts";
import { GetRandom } from "../../../tpm/commands/capability.ts";
import { startSession } from "../../../tpm/session/start.ts";
import type { Transport } from "../../../tpm/transport/transport.ts";
import { ekOn, withEk } from "../keys.ts";
import { blankTpm, leftIn } from "../swtpm.ts";

/** Flips the last bit of every response of the command with that code. */
function tampering(inner: Transport, commandCode: number): Transport {
  return {
    target: inner.target,
    hasResourceManager: inner.hasResourceManager,
    async transmit(command): Promise<Uint8Array> {
      const response = await inner.transmit(command);
      const isMeant = new DataView(command.buffer).getUint32(6) === commandCode;
      if (!isMeant) return response;
      const changed = response.slice();
      changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
      return changed;
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}

Deno.test("an answer that was changed on the way is refused, and everything flushed", async () => {
  await using lab = await blankTpm({
    wrap: (inner) => tampering(inner, GetRandom.code),
  });
  const { tpm } = lab;
  await assert.rejects(async () => {
    await using ek = await ekOn(tpm, "ecc256");
    await using session = await startSession(tpm, {
      type: "hmac",
      hash: "sha256",
      saltKey: ek,
      attributes: { continueSession: true, encrypt: true },
    });
    await tpm.execute(GetRandom, { bytesRequested: 8 }, [session]);
  }, SessionError);
  assert.deepEqual(await leftIn(tpm), []);
});

Deno.test("everything is flushed when the work with it throws", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  const wanted = new Error("stopped by a signal");
  await assert.rejects(async () => {
    await using ek = await ekOn(tpm, "rsa2048");
    await using _hmac = await startSession(tpm, {
      type: "hmac",
      hash: "sha256",
      saltKey: ek,
    });
    await withEk(tpm, ek, () => Promise.reject(wanted));
  }, wanted);
  assert.deepEqual(await leftIn(tpm), []);
});

Deno.test("what runs when the client closes is flushed before it does", async () => {
  await using lab = await blankTpm();
  const { tpm } = lab;
  const handles: number[] = [];
  const running = tpm.exclusive(async (leased) => {
    {
      await using ek = await ekOn(leased, "ecc256");
      await using _session = await startSession(leased, {
        type: "policy",
        hash: "sha256",
        saltKey: ek,
      });
      closing = tpm[Symbol.asyncDispose]();
      assert.equal((await leftIn(leased)).length, 2);
    }
    handles.push(...await leftIn(leased));
  });
  let closing: Promise<void> | undefined;
  await running;
  await closing;
  assert.deepEqual(handles, []);
});
