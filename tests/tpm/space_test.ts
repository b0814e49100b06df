import assert from "node:assert/strict";
import fc from "fast-check";
import { readHandles, readIdentity } from "../../tpm/capability.ts";
import { Tpm } from "../../tpm/client.ts";
import { encode } from "../../tpm/codec/codec.ts";
import { Quote } from "../../tpm/commands/attestation.ts";
import { GetCapability } from "../../tpm/commands/capability.ts";
import type { Executor, SomeCommand } from "../../tpm/commands/command.ts";
import { EvictControl, FlushContext } from "../../tpm/commands/context.ts";
import {
  type CommandFrame,
  decodeCommand,
  encodeCommand,
} from "../../tpm/commands/frame.ts";
import { PcrRead } from "../../tpm/commands/integrity.ts";
import { ReadPublic } from "../../tpm/commands/object.ts";
import { handleEntity, withPassword } from "../../tpm/entity.ts";
import { readNvIndex } from "../../tpm/nv.ts";
import { extendPcr, readPcrs, resetPcr } from "../../tpm/pcr.ts";
import { concernsSpace } from "../../tpm/space.ts";
import { FIRST_HANDLE, TPM_RH_OWNER } from "../../tpm/spec/handles.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";
import { commandOf, COMMANDS } from "./all_commands.ts";
import { bytes } from "./arbitraries.ts";
import { refusal, type ScriptedTpm, scriptedTpm } from "./scripted_tpm.ts";

const lowBits = fc.nat(0xff_ffff);
const ofRange = (first: number): fc.Arbitrary<number> =>
  lowBits.map((low) => first + low);
/** In no space: PCRs, NV indices, permanent and persistent handles. */
const lasting = fc.oneof(
  ...[0, 0x0100_0000, 0x4000_0000, 0x8100_0000].map(ofRange),
);
/** In a space: sessions of both kinds and transient objects. */
const loaded = fc.oneof(
  ...[0x0200_0000, 0x0300_0000, 0x8000_0000].map(ofRange),
);
const anyHandle = fc.oneof({ weight: 2, arbitrary: lasting }, loaded);

function parametersOf(command: SomeCommand): fc.Arbitrary<Uint8Array> {
  if (command.code === FlushContext.code) {
    return anyHandle.map((flushHandle) =>
      encode(FlushContext.parameters, { flushHandle })
    );
  }
  if (command.code === GetCapability.code) {
    return fc.tuple(
      fc.constantFrom("handles", "tpmProperties", "pcrs"),
      anyHandle,
    ).map(([capability, property]) =>
      encode(GetCapability.parameters, {
        capability,
        property,
        propertyCount: 254,
      })
    );
  }
  return bytes(20);
}

/** Any command with any handles and any authorizations. */
const sent: fc.Arbitrary<{ command: SomeCommand; frame: CommandFrame }> = fc
  .constantFrom(...COMMANDS).chain((command) =>
    fc.record({
      handles: fc.array(anyHandle, {
        minLength: command.handles.length,
        maxLength: command.handles.length,
      }),
      sessions: fc.array(
        fc.oneof(fc.constant(0x4000_0009), loaded),
        { maxLength: 3 },
      ),
      parameters: parametersOf(command),
    }).map(({ handles, sessions, parameters }) => ({
      command,
      frame: {
        code: command.code,
        handles,
        authorizations: sessions.map((sessionHandle) => ({
          sessionHandle,
          nonce: new Uint8Array(),
          sessionAttributes: {},
          hmac: new Uint8Array(),
        })),
        parameters: Uint8Array.from(parameters),
      },
    }))
  );

/** What of a space a resource manager finds in the bytes of a command. */
function foundIn(wire: Uint8Array): number[] {
  const { code, handles, authorizations, parameters } = decodeCommand(
    wire,
    (code) => commandOf(code).handles.length,
  );
  const area = new DataView(parameters.buffer, parameters.byteOffset);
  const further = code === 0x165
    ? [area.getUint32(0)]
    : code === 0x17a && area.getUint32(0) === 1
    ? [area.getUint32(4)]
    : [];
  return [
    ...handles,
    ...authorizations.map(({ sessionHandle }) => sessionHandle),
    ...further,
  ].filter((handle) => [0x02, 0x03, 0x80].includes(handle >>> 24));
}

/** Commands of Part 3 whose response has a handle, and ours among them. */
const MAKERS = [
  ...["TPM2_CreatePrimary", "TPM2_CreateLoaded", "TPM2_Load"],
  ...["TPM2_LoadExternal", "TPM2_ContextLoad", "TPM2_StartAuthSession"],
  ...["TPM2_HMAC_Start", "TPM2_HashSequenceStart"],
];

Deno.test("concernsSpace() is true of what uses or makes something in a space, and of nothing else", () => {
  fc.assert(
    fc.property(sent, ({ command, frame }) => {
      const isInSpace = MAKERS.includes(command.name) ||
        foundIn(encodeCommand(frame)).length > 0;
      assert.equal(concernsSpace(command, frame), isInSpace, command.name);
    }),
    { numRuns: 2000 },
  );
});

const PERSISTENT = handleEntity(0x8108_0001);
const TRANSIENT = handleEntity(0x8000_0000);
const SESSION = {
  handle: 0x0300_0000,
  hash: "sha256",
  nonceTpm: new Uint8Array(16),
  attributes: {},
  begin: () => ({
    encrypt: (parameter: Uint8Array<ArrayBuffer>) => parameter,
    decrypt: (parameter: Uint8Array<ArrayBuffer>) => parameter,
    authorize: () => ({
      sessionHandle: 0x0300_0000,
      nonce: new Uint8Array(),
      sessionAttributes: {},
      hmac: new Uint8Array(),
    }),
    verify: () => {},
  }),
} as const;

const QUOTE = {
  qualifyingData: new Uint8Array(),
  inScheme: { scheme: "null" },
  pcrSelect: [],
} as const;

const EVICT = {
  auth: withPassword(handleEntity(TPM_RH_OWNER)),
  persistentHandle: PERSISTENT.handle,
};

const ROUTES: readonly [
  name: string,
  way: "bare" | "space",
  work: (tpm: Executor) => Promise<unknown>,
][] = [
  ["reading PCRs", "bare", (tpm) => readPcrs(tpm, "sha256", [0])],
  ["extending a PCR", "bare", (tpm) => extendPcr(tpm, 16, [])],
  ["resetting a PCR", "bare", (tpm) => resetPcr(tpm, 16)],
  ["reading an NV index", "bare", (tpm) => readNvIndex(tpm, 0x01c0_0002, 64)],
  ["asking for properties", "bare", (tpm) => readIdentity(tpm)],
  ["listing NV indices", "bare", (tpm) => readHandles(tpm, 0x01c0_0100)],
  [
    "listing objects",
    "space",
    (tpm) => readHandles(tpm, FIRST_HANDLE.transient),
  ],
  [
    "quoting with a persistent key",
    "bare",
    (tpm) =>
      tpm.execute(Quote, { ...QUOTE, signHandle: withPassword(PERSISTENT) }),
  ],
  [
    "quoting with a loaded key",
    "space",
    (tpm) =>
      tpm.execute(Quote, { ...QUOTE, signHandle: withPassword(TRANSIENT) }),
  ],
  [
    "reading PCRs in a session",
    "space",
    (tpm) => tpm.execute(PcrRead, { pcrSelectionIn: [] }, [SESSION]),
  ],
  [
    "looking at a persistent key",
    "bare",
    (tpm) => tpm.execute(ReadPublic, { objectHandle: PERSISTENT }),
  ],
  [
    "making a key persistent",
    "space",
    (tpm) => tpm.execute(EvictControl, { ...EVICT, objectHandle: TRANSIENT }),
  ],
  [
    "evicting a key",
    "bare",
    (tpm) => tpm.execute(EvictControl, { ...EVICT, objectHandle: PERSISTENT }),
  ],
];

/** A client with two ways to a TPM that refuses everything. */
function forked(): { tpm: Tpm; bare: ScriptedTpm; space: ScriptedTpm } {
  const [bare, space] = [1, 2].map(() => scriptedTpm(() => refusal(0x101))) as [
    ScriptedTpm,
    ScriptedTpm,
  ];
  return { tpm: new Tpm(space, { bare }), bare, space };
}

Deno.test("a command goes the cheapest way that it can", async (t) => {
  for (const [name, way, work] of ROUTES) {
    await t.step(`${name}: ${way}`, async () => {
      const { tpm, bare, space } = forked();
      await using _ = tpm;
      await assert.rejects(work(tpm), /TPM_RC_FAILURE/);
      const want = way === "bare" ? [1, 0] : [0, 1];
      assert.deepEqual([bare.commands.length, space.commands.length], want);
    });
  }
});

Deno.test("both ways are one queue", async () => {
  let isBusy = false;
  const order: string[] = [];
  const way = (name: string): ScriptedTpm =>
    scriptedTpm(async () => {
      assert.equal(isBusy, false);
      isBusy = true;
      order.push(name);
      await new Promise((resolve) => setTimeout(resolve, 1));
      isBusy = false;
      return refusal(0x101);
    });
  await using tpm = new Tpm(way("space"), { bare: way("bare") });
  const quote = (leased: Executor): Promise<unknown> =>
    leased.execute(Quote, { ...QUOTE, signHandle: withPassword(TRANSIENT) })
      .catch(() => {});
  const read = (leased: Executor): Promise<unknown> =>
    readPcrs(leased, "sha256", [0]).catch(() => {});
  await Promise.all([
    read(tpm),
    tpm.exclusive(async (leased) => {
      await quote(leased);
      await Promise.all([read(leased), quote(leased)]);
    }),
    quote(tpm),
    read(tpm),
  ]);
  assert.deepEqual(order, ["bare", "space", "bare", "space", "space", "bare"]);
});

Deno.test("a failure on either way ends both", async (t) => {
  for (const broken of ["bare", "space"] as const) {
    await t.step(broken, async () => {
      const lost: Error[] = [];
      const way = (name: string): ScriptedTpm =>
        scriptedTpm(() => {
          if (name === broken) throw new Error("cut off");
          return refusal(0x101);
        });
      await using tpm = new Tpm(way("space"), {
        bare: way("bare"),
        onLost: (error) => lost.push(error),
      });
      const bare = (): Promise<unknown> => resetPcr(tpm, 16);
      const space = (): Promise<unknown> =>
        readHandles(tpm, FIRST_HANDLE.transient);
      const [first, second] = broken === "bare" ? [bare, space] : [space, bare];
      await assert.rejects(first(), /cut off/);
      await assert.rejects(second(), /a scripted TPM is out of use/);
      assert.equal(lost.length, 1);
    });
  }
});

Deno.test("disposing of a client closes both ways", async () => {
  const { tpm, bare, space } = forked();
  await tpm[Symbol.asyncDispose]();
  assert.deepEqual([bare.timesClosed, space.timesClosed], [1, 1]);
});

/** How often this process has `path` open. */
async function descriptorsOf(path: string): Promise<number> {
  let count = 0;
  for await (const { name } of Deno.readDir("/proc/self/fd")) {
    const target = await Deno.readLink(`/proc/self/fd/${name}`).catch(() => "");
    if (target === path) count++;
  }
  return count;
}

Deno.test("open() opens a managed device twice and others once", async (t) => {
  await using directory = await temporaryDirectory();
  for (const [name, count] of [["tpmrm0", 2], ["tpm0", 1]] as const) {
    await t.step(name, async () => {
      const path = `${directory.path}/${name}`;
      await Deno.writeFile(path, new Uint8Array(0));
      {
        await using tpm = await Tpm.open({ kind: "device", path });
        assert.equal(tpm.hasResourceManager, count === 2);
        assert.equal(await descriptorsOf(path), count);
      }
      assert.equal(await descriptorsOf(path), 0);
    });
  }
});
