import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { bootAggregate, ImaEmulator } from "./ima_emulator.ts";
import { LabDirectory } from "./lab_directory.ts";
import { digestOf } from "./pcr_bank.ts";
import { createMeasuredBootPolicy, createRuntimePolicy } from "./policies.ts";

const BOOT_LOG = fixture("lab/event_logs/keylime-mb-secureboot.bin");

function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

Deno.test("createRuntimePolicy() allows a list, digests and excluded paths", async () => {
  await using directory = await LabDirectory.make();
  const ima = await ImaEmulator.start({
    file: directory.path("list"),
    banks: [],
    extend: () => Promise.resolve(),
    bootAggregate: bootAggregate("sha256", new Map()),
  });
  await ima.append("/usr/bin/measured", "measured");
  const digest = "ab".repeat(32);
  const file = await createRuntimePolicy(directory.path("policy.json"), {
    measurementList: ima.file,
    digests: { "/usr/bin/lab": [digest] },
    excludes: ["/tmp/.*"],
  });
  const policy = JSON.parse(await Deno.readTextFile(file));
  assert.deepEqual(policy.digests, {
    boot_aggregate: [digestOf("sha256", new Uint8Array(320)).toHex()],
    "/usr/bin/measured": [digestOf("sha256", "measured").toHex()],
    "/usr/bin/lab": [digest],
  });
  assert.deepEqual(policy.excludes, ["/tmp/.*"]);
});

Deno.test("createMeasuredBootPolicy() knows the machine of the event log", async () => {
  await using directory = await LabDirectory.make();
  const file = directory.path("policy.json");
  await createMeasuredBootPolicy(file, BOOT_LOG);
  const policy = JSON.parse(await Deno.readTextFile(file));
  assert.equal(policy.has_secureboot, true);
  assert.ok(policy.kernels.length > 0);
});
