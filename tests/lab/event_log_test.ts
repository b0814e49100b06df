import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { runOk } from "./command.ts";
import { EkCa } from "./ek_ca.ts";
import { boot, parseEventLog, replay, startupLocality } from "./event_log.ts";
import { LabDirectory } from "./lab_directory.ts";
import { LabTpm } from "./lab_tpm.ts";
import { type Bank, filledPcr } from "./pcr_bank.ts";

const LOGS = fileURLToPath(
  new URL("../fixtures/lab/event_logs/", import.meta.url),
);

interface Expected {
  readonly eventCount: number;
  readonly startupLocality: number;
  /** Hexadecimal values, by bank and PCR. */
  readonly pcrs: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const EXPECTED: Readonly<Record<string, Expected>> = JSON.parse(
  Deno.readTextFileSync(`${LOGS}expected.json`),
);

/** The logs that a lab machine can boot by and the verifier replays alike. */
const BOOTABLE = ["keylime-mb-secureboot", "gce-rhel8"];

function readLog(name: string): Uint8Array {
  return Deno.readFileSync(`${LOGS}${name}.bin`);
}

/** Replayed values in the shape of `expected.json`. */
function hexPcrs(log: Uint8Array): Expected["pcrs"] {
  const banks = [...replay(parseEventLog(log))].map(([bank, pcrs]) => {
    const values = [...pcrs].map(([pcr, value]) => [pcr, value.toHex()]);
    return [bank, Object.fromEntries(values)];
  });
  return Object.fromEntries(banks);
}

Deno.test("replay() gives the PCRs that the machines had", async (t) => {
  for (const [name, want] of Object.entries(EXPECTED)) {
    await t.step(name, () => {
      const events = parseEventLog(readLog(name));
      assert.equal(events.length, want.eventCount);
      assert.equal(startupLocality(events), want.startupLocality);
      assert.deepEqual(hexPcrs(readLog(name)), want.pcrs);
    });
  }
});

Deno.test("parseEventLog() stops at the padding of the firmware's log area", () => {
  const log = readLog("synthetic-grub-sha1-sha256");
  for (const filler of [0x00, 0xff]) {
    const padded = new Uint8Array(log.length + 4096).fill(filler);
    padded.set(log);
    assert.deepEqual(parseEventLog(padded), parseEventLog(log));
  }
});

Deno.test("parseEventLog() refuses a log that is cut within an event", () => {
  for (const name of ["synthetic-grub-sha1-sha256", "cmc-legacy"]) {
    const log = readLog(name);
    const whole = parseEventLog(log);
    fc.assert(fc.property(fc.nat(log.length - 1), (length) => {
      try {
        const events = parseEventLog(log.subarray(0, length));
        assert.deepEqual(events, whole.slice(0, events.length));
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
    }));
  }
});

Deno.test("parseEventLog() answers any damage with events or a RangeError", () => {
  const log = readLog("synthetic-grub-locality3-four-banks");
  fc.assert(
    fc.property(fc.nat(log.length - 1), fc.nat(255), (at, byte) => {
      const damaged = log.with(at, byte);
      try {
        assert.ok(parseEventLog(damaged).length > 0);
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
    }),
  );
});

Deno.test("parseEventLog() refuses what is no event log", async (t) => {
  const rows = [
    { name: "nothing", bytes: new Uint8Array() },
    { name: "text", bytes: new TextEncoder().encode("No log. ".repeat(20)) },
    { name: "too much", bytes: new Uint8Array(16 * 1024 * 1024 + 1) },
  ];
  for (const { name, bytes } of rows) {
    await t.step(name, () => {
      assert.throws(() => parseEventLog(bytes), RangeError);
    });
  }
});

Deno.test("replay() agrees with tpm2_eventlog where a lab machine boots", async (t) => {
  for (const name of BOOTABLE) {
    await t.step(name, async () => {
      const output = await runOk(["tpm2_eventlog", `${LOGS}${name}.bin`]);
      const summary = output.slice(output.lastIndexOf("\npcrs:"));
      for (const values of Object.values(EXPECTED[name]?.pcrs ?? {})) {
        for (const [pcr, value] of Object.entries(values)) {
          const line = new RegExp(`^ +${pcr} *: 0x${value}$`, "m");
          assert.match(summary, line);
        }
      }
    });
  }
});

Deno.test("boot() leaves a TPM with the PCRs of the log", async () => {
  await using directory = await LabDirectory.make();
  const ca = await EkCa.create(directory.path("ca"), { key: "p256" });
  const banks: Bank[] = ["sha256", "sha384"];
  await using tpm = await LabTpm.make(directory.path("tpm"), { ca, banks });
  const events = parseEventLog(readLog("gce-rhel8"));
  await boot(events, tpm.banks, tpm.extend);
  for (const bank of banks) {
    const file = directory.path(bank);
    const all = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    await runOk(["tpm2_pcrread", `${bank}:${all.join()}`, "-o", file], {
      env: { TPM2TOOLS_TCTI: tpm.tcti },
    });
    const values = replay(events).get(bank);
    const want = all.map((pcr) => values?.get(pcr) ?? filledPcr(bank));
    const hex = want.map((value) => value.toHex()).join("");
    assert.equal((await Deno.readFile(file)).toHex(), hex);
  }
});
