import assert from "node:assert/strict";
import { formatAgentData, parseAgentData } from "../../agent/agent_data.ts";
import {
  type AttestationKeyOptions,
  openAttestationKey,
} from "../../agent/attestation_key.ts";
import { EndorsementKey } from "../../agent/endorsement_key.ts";
import { TransientObject } from "../../tpm/mod.ts";
import { recordingLog } from "../api/support/attester.ts";
import { BareTpm } from "./support/bare_tpm.ts";

/** A TPM with its endorsement key, and a place for the file. */
class KeyLab implements AsyncDisposable {
  readonly bare: BareTpm;
  readonly ek: EndorsementKey;
  /** What the agent said, all together. */
  readonly lines: string[] = [];

  private constructor(bare: BareTpm, ek: EndorsementKey) {
    this.bare = bare;
    this.ek = ek;
  }

  static async make(): Promise<KeyLab> {
    const bare = await BareTpm.make();
    const ek = await EndorsementKey.open(bare.tpm, {
      keyType: "ecc256",
      persistentHandle: undefined,
      hierarchyAuth: new Uint8Array(),
    });
    return new KeyLab(bare, ek);
  }

  get path(): string {
    return this.bare.path("agent_data.json");
  }

  /** Opens the key and unloads it again; resolves with its Name. */
  async open(change: Partial<AttestationKeyOptions> = {}): Promise<string> {
    const { log, lines } = recordingLog();
    try {
      const key = await openAttestationKey(this.bare.tpm, this.ek, {
        path: this.path,
        keyType: "ecc256",
        scheme: "ecdsa",
        hash: "sha256",
        place: undefined,
        log,
        ...change,
      });
      assert.ok(key instanceof TransientObject);
      await key[Symbol.asyncDispose]();
      return key.name.toHex();
    } finally {
      this.lines.splice(0, Infinity, ...lines);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.bare.mux.intercept = undefined;
    await this.ek[Symbol.asyncDispose]();
    assert.deepEqual(await this.bare.leavings(), []);
    await this.bare[Symbol.asyncDispose]();
  }
}

const LOAD = 0x157;
const CREATE = 0x153;
const START_AUTH_SESSION = 0x176;
const POLICY_SECRET = 0x151;

Deno.test("openAttestationKey() makes a key once and then keeps it", async () => {
  await using lab = await KeyLab.make();
  const first = await lab.open();
  assert.deepEqual(lab.lines, [
    `info There is no ${lab.path} yet`,
    `info Created a new attestation key and stored it in ${lab.path}`,
  ]);
  const text = await Deno.readTextFile(lab.path);
  assert.equal(((await Deno.stat(lab.path)).mode ?? 0) & 0o777, 0o600);
  const { ekHash, hash, scheme } = parseAgentData(text);
  assert.deepEqual([ekHash, hash, scheme], [lab.ek.hash, "sha256", "ecdsa"]);

  const commands = await lab.bare.during(async () => {
    assert.equal(await lab.open(), first);
  });
  assert.deepEqual(lab.lines, [
    `info Loaded the attestation key from ${lab.path}`,
  ]);
  assert.deepEqual(commands, [
    "TPM2_StartAuthSession",
    "TPM2_PolicySecret",
    "TPM2_Load",
    "TPM2_FlushContext",
  ]);
  assert.equal(await Deno.readTextFile(lab.path), text);
});

Deno.test("openAttestationKey() makes a new key when the kept one is not what is asked for", async (t) => {
  const rows = [
    {
      name: "another hash",
      change: { hash: "sha384" },
      want:
        /^warn .* signs with ecdsa and sha256, the configuration says ecdsa and sha384; a new one is made$/,
    },
    {
      name: "another type and scheme",
      change: { keyType: "rsa2048", scheme: "rsassa" },
      want:
        /^warn .* signs with ecdsa and sha256, the configuration says rsassa and sha256; a new one is made$/,
    },
  ] as const;
  for (const { name, change, want } of rows) {
    await t.step(name, async () => {
      await using lab = await KeyLab.make();
      const old = await lab.open();
      const made = await lab.open(change);
      assert.notEqual(made, old);
      assert.match(lab.lines[0] ?? "", want);
      assert.match(lab.lines[1] ?? "", /^info Created a new attestation key/);
      assert.equal(await lab.open(change), made);
    });
  }
});

Deno.test("openAttestationKey() makes a new key when the file is another TPM's", async () => {
  await using other = await KeyLab.make();
  const foreign = await other.open();
  await using lab = await KeyLab.make();
  await Deno.copyFile(other.path, lab.path);
  const made = await lab.open();
  assert.notEqual(made, foreign);
  assert.match(lab.lines[0] ?? "", /^warn .* belongs to another TPM or/);
  assert.equal(await lab.open(), made);
});

Deno.test("openAttestationKey() makes a new key when the file is damaged", async (t) => {
  await using lab = await KeyLab.make();
  await lab.open();
  const good = await Deno.readTextFile(lab.path);
  const { attestationKey, ...rest } = parseAgentData(good);
  const altered = Uint8Array.from(attestationKey.privateArea);
  altered[40] = (altered[40] ?? 0) ^ 1;
  const rows = [
    {
      name: "empty",
      text: "",
      want: /^warn The attestation key in .* cannot be used: it is damaged: /,
    },
    {
      name: "cut off",
      text: good.slice(0, 500),
      want: /^warn The attestation key in .* cannot be used: it is damaged: /,
    },
    {
      name: "no private area",
      text: good.replace("ak_private", "ak_pirvate"),
      want: /cannot be used: "ak_private" is not an array of byte values; a/,
    },
    {
      name: "an altered private area",
      text: formatAgentData({
        ...rest,
        scheme: "ecdsa",
        attestationKey: { ...attestationKey, privateArea: altered },
      }),
      want:
        /^warn The TPM does not accept the attestation key in .* \(TPM2_Load .*TPM_RC_INTEGRITY.*\); a new one is made$/,
    },
    {
      name: "no private area left",
      text: formatAgentData({
        ...rest,
        scheme: "ecdsa",
        attestationKey: { ...attestationKey, privateArea: new Uint8Array() },
      }),
      want: /^warn The TPM does not accept the attestation key in /,
    },
  ];
  for (const { name, text, want } of rows) {
    await t.step(name, async () => {
      await Deno.writeTextFile(lab.path, text);
      const made = await lab.open();
      assert.match(lab.lines[0] ?? "", want);
      assert.match(lab.lines[1] ?? "", /^info Created a new attestation key/);
      assert.equal(await lab.open(), made);
    });
  }
});

Deno.test("openAttestationKey() keeps the key when the TPM is in trouble", async (t) => {
  await using lab = await KeyLab.make();
  const kept = await lab.open();
  const text = await Deno.readTextFile(lab.path);
  const rows = [
    ["TPM_RC_INITIALIZE", LOAD, 0x100],
    ["TPM_RC_FAILURE", LOAD, 0x101],
    ["TPM_RC_DISABLED", LOAD, 0x120],
    ["TPM_RC_UPGRADE", LOAD, 0x12d],
    ["TPM_RC_REBOOT", LOAD, 0x130],
    ["TPM_RC_BAD_AUTH of the session", LOAD, 0x9a2],
    ["TPM_RC_POLICY_FAIL of the session", LOAD, 0x99d],
    ["TPM_RC_TYPE of the parent", LOAD, 0x18a],
    ["TPM_RC_OBJECT_MEMORY", LOAD, 0x902],
    ["TPM_RC_MEMORY", LOAD, 0x904],
    ["TPM_RC_LOCKOUT", LOAD, 0x921],
    ["TPM_RC_NV_UNAVAILABLE", LOAD, 0x923],
    ["a code of the resource manager", LOAD, 0x000b_000a],
    ["TPM_RC_FAILURE", START_AUTH_SESSION, 0x101],
    ["TPM_RC_SESSION_MEMORY", START_AUTH_SESSION, 0x903],
    ["TPM_RC_BAD_AUTH", POLICY_SECRET, 0x9a2],
  ] as const;
  for (const [name, command, code] of rows) {
    await t.step(`${name}, command 0x${command.toString(16)}`, async () => {
      lab.bare.refuse(command, code);
      await assert.rejects(lab.open());
      lab.bare.mux.intercept = undefined;
      assert.equal(await Deno.readTextFile(lab.path), text);
      assert.equal(await lab.open(), kept);
    });
  }
});

Deno.test("openAttestationKey() leaves the file alone when no new key can be made", async () => {
  await using lab = await KeyLab.make();
  await Deno.writeTextFile(lab.path, "damaged");
  lab.bare.refuse(CREATE, 0x101);
  await assert.rejects(lab.open(), /TPM2_Create .*TPM_RC_FAILURE/);
  assert.equal(await Deno.readTextFile(lab.path), "damaged");
});

Deno.test("openAttestationKey() names a file that it cannot read or write", async (t) => {
  await using lab = await KeyLab.make();
  await t.step("a directory in its place", async () => {
    await Deno.mkdir(lab.path);
    await assert.rejects(lab.open(), /Cannot read ".*agent_data\.json"/);
    await Deno.remove(lab.path);
  });
  await t.step("no directory for it", async () => {
    const path = lab.bare.path("missing/agent_data.json");
    await assert.rejects(lab.open({ path }), /Cannot write ".*agent_data/);
  });
});
