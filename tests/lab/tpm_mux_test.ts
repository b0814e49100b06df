import assert from "node:assert/strict";
import { runOk } from "./command.ts";
import { EkCa } from "./ek_ca.ts";
import { LabTpm } from "./lab_tpm.ts";
import { LabDirectory } from "./lab_directory.ts";
import { isGroupAlive } from "./process.ts";
import { connectTpm, readFrame, writeAll } from "./tpm_address.ts";
import { TpmMux } from "./tpm_mux.ts";

/** TPM2_GetCapability, TPM2_GetRandom and a response to neither. */
const GET_CAPABILITY = 0x17a;
const GET_RANDOM = 0x17b;
const RC_RETRY = Uint8Array.fromHex("80010000000a00000922");

/** TPM2_GetRandom for `count` bytes. */
function getRandom(count: number): Uint8Array {
  const head = "80010000000c0000017b";
  return Uint8Array.fromHex(head + count.toString(16).padStart(4, "0"));
}

/** A TPM with nothing behind it: echoes each command after `delayMs`. */
function echo(options: { delayMs?: number } = {}): {
  mux: TpmMux;
  seen: Uint8Array[];
} {
  const mux = TpmMux.listen({ transport: "unix", path: "/nowhere" });
  const seen: Uint8Array[] = [];
  mux.intercept = async (command) => {
    seen.push(command);
    await new Promise((resolve) => setTimeout(resolve, options.delayMs ?? 0));
    return command;
  };
  return { mux, seen };
}

Deno.test("LabTpm serves two of tpm2-tools at the same time", async () => {
  await using directory = await LabDirectory.make();
  const ca = await EkCa.create(directory.path("ca"));
  await using tpm = await LabTpm.make(directory.path("tpm"), { ca });
  const env = { TPM2TOOLS_TCTI: tpm.tcti };
  const properties = ["tpm2_getcap", "properties-fixed"];
  const certificates = ["tpm2_getcap", "handles-nv-index"];
  const [fixed, indices] = await Promise.all([
    runOk(properties, { env }),
    runOk(certificates, { env }),
  ]);
  assert.match(fixed, /TPM2_PT_FAMILY_INDICATOR/);
  assert.match(indices, /0x1C00002\n- 0x1C0000A\n- 0x1C00016/);
  assert.ok((tpm.mux.counts.get(GET_CAPABILITY) ?? 0) >= 2);
});

Deno.test("LabTpm.powerCycle() resets PCRs and keeps clients connected", async (t) => {
  await using directory = await LabDirectory.make();
  const ca = await EkCa.create(directory.path("ca"), { key: "p256" });
  const banks = ["sha256"] as const;
  await using tpm = await LabTpm.make(directory.path("tpm"), { ca, banks });
  using client = await connectTpm(tpm.mux.address);
  const env = { TPM2TOOLS_TCTI: tpm.tcti };
  const read = ["tpm2_pcrread", "sha256:9"];
  const digest = "07".repeat(32);
  for (const how of ["orderly", "power cut"] as const) {
    await t.step(how, async () => {
      const before = tpm.pid;
      await runOk(["tpm2_pcrextend", `9:sha256=${digest}`], { env });
      assert.doesNotMatch(await runOk(read, { env }), /0x0{64}/);
      await tpm.powerCycle(how);
      assert.equal(isGroupAlive(before), false);
      assert.match(await runOk(read, { env }), /0x0{64}/);
      await writeAll(client, getRandom(16));
      assert.equal((await readFrame(client))?.length, 10 + 2 + 16);
    });
  }
});

Deno.test("TpmMux passes commands of many clients on one at a time", async () => {
  const { mux, seen } = echo({ delayMs: 2 });
  await using _mux = mux;
  let under_way = 0;
  const inner = mux.intercept;
  mux.intercept = async (command) => {
    assert.equal(++under_way, 1);
    const response = await inner?.(command);
    under_way--;
    return response;
  };
  await Promise.all([1, 2, 3, 4, 5].map(async (n) => {
    using client = await connectTpm(mux.address);
    for (const m of [0, 1, 2]) {
      await writeAll(client, getRandom(16 * n + m));
      assert.deepEqual(await readFrame(client), getRandom(16 * n + m));
    }
  }));
  assert.equal(seen.length, 15);
});

Deno.test("TpmMux survives a client that dies with a command under way", async () => {
  const { mux } = echo({ delayMs: 20 });
  await using _mux = mux;
  const dying = await connectTpm(mux.address);
  await writeAll(dying, getRandom(1));
  await writeAll(dying, getRandom(2).subarray(0, 7));
  dying.close();
  using client = await connectTpm(mux.address);
  await writeAll(client, getRandom(3));
  assert.deepEqual(await readFrame(client), getRandom(3));
});

Deno.test("TpmMux hangs up on a client whose frame is impossible", async (t) => {
  const { mux, seen } = echo();
  await using _mux = mux;
  const rows = [
    { name: "shorter than a header", frame: "8001000000090000017b0001" },
    { name: "longer than a TPM's buffer", frame: "8001000010010000017b0001" },
  ];
  for (const { name, frame } of rows) {
    await t.step(name, async () => {
      using client = await connectTpm(mux.address);
      await writeAll(client, Uint8Array.fromHex(frame));
      await assert.rejects(async () => {
        if (await readFrame(client) === undefined) throw new Error("Hung up");
      });
    });
  }
  assert.equal(seen.length, 0);
});

Deno.test("TpmMux lets intercept() answer, and counts and records", async () => {
  await using mux = TpmMux.listen({ transport: "unix", path: "/nowhere" });
  const recorded: string[] = [];
  mux.record = ({ response }) => recorded.push(response.toHex());
  mux.intercept = () => RC_RETRY;
  assert.deepEqual(await mux.transmit(getRandom(8)), RC_RETRY);
  assert.deepEqual(recorded, [RC_RETRY.toHex()]);
  assert.deepEqual([...mux.counts], [[GET_RANDOM, 1]]);
  mux.reset();
  assert.equal(mux.counts.size, 0);
});

Deno.test("TpmMux hangs up when the TPM is gone, and recovers", async () => {
  await using mux = TpmMux.listen({ transport: "unix", path: "/nowhere" });
  {
    using client = await connectTpm(mux.address);
    await writeAll(client, getRandom(8));
    assert.equal(await readFrame(client), undefined);
  }
  mux.intercept = (command) => command;
  using client = await connectTpm(mux.address);
  await writeAll(client, getRandom(8));
  assert.deepEqual(await readFrame(client), getRandom(8));
});

Deno.test("TpmMux listens on a Unix socket where it is told to", async () => {
  await using directory = await LabDirectory.make();
  const path = directory.path("mux");
  const nowhere = { transport: "unix", path: "/nowhere" } as const;
  await using mux = TpmMux.listen(nowhere, { path });
  mux.intercept = (command) => command;
  using client = await connectTpm({ transport: "unix", path });
  await writeAll(client, getRandom(5));
  assert.deepEqual(await readFrame(client), getRandom(5));
});
