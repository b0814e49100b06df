import assert from "node:assert/strict";
import { Tpm } from "../../../tpm/client.ts";
import { GetRandom } from "../../../tpm/commands/capability.ts";
import type { Executor } from "../../../tpm/commands/command.ts";
import { Startup } from "../../../tpm/commands/startup.ts";
import { ENDORSEMENT, withPassword } from "../../../tpm/entity.ts";
import { TpmError } from "../../../tpm/error.ts";
import { createPrimary } from "../../../tpm/object.ts";
import { readPcrs } from "../../../tpm/pcr.ts";
import { ekTemplate } from "../../../tpm/templates.ts";
import { type Exchange, recorder } from "../../../tpm/transport/recorder.ts";
import { replay } from "../../../tpm/transport/replay.ts";
import { openTransport, parseTcti } from "../../../tpm/transport/tcti.ts";
import { Swtpm } from "../../lab/swtpm.ts";
import { temporaryDirectory } from "../../support/temporary_directory.ts";

/** What happens on a TPM without randomness of our own. */
async function story(tpm: Executor): Promise<readonly string[]> {
  const { randomBytes } = await tpm.execute(GetRandom, { bytesRequested: 16 });
  await using ek = await createPrimary(
    tpm,
    withPassword(ENDORSEMENT),
    ekTemplate("ecc256"),
  );
  const pcrs = await readPcrs(tpm, "sha256", [0, 1, 2, 3, 4, 5, 6, 7, 8, 16]);
  const refused = await tpm.execute(Startup, { startupType: "clear" })
    .catch((error) => error);
  assert.ok(refused instanceof TpmError);
  return [
    randomBytes.toHex(),
    ek.name.toHex(),
    ...[...pcrs.values()].map((value) => value.toHex()),
    refused.message,
  ];
}

/** Tells the story, recorded, on a new swtpm with that kind of socket. */
async function tell(
  kind: "unix" | "tcp",
): Promise<{
  readonly told: readonly string[];
  readonly exchanges: readonly Exchange[];
}> {
  await using directory = await temporaryDirectory();
  await using swtpm = await Swtpm.start({
    stateDirectory: directory.path,
    transport: kind,
  });
  const exchanges: Exchange[] = [];
  const transport = await openTransport(parseTcti(swtpm.tcti));
  assert.match(transport.target, /^swtpm at /);
  await using tpm = new Tpm(
    recorder(transport, (exchange) => exchanges.push(exchange)),
  );
  return { told: await story(tpm), exchanges };
}

for (const kind of ["unix", "tcp"] as const) {
  Deno.test(`a swtpm behind a ${kind} socket does what its recording replays`, async () => {
    const { told, exchanges } = await tell(kind);
    assert.equal(told.length, 13);
    await using tpm = new Tpm(replay(exchanges));
    assert.deepEqual(await story(tpm), told);
  });
}

Deno.test("clients connect one after the other", async () => {
  await using directory = await temporaryDirectory();
  await using swtpm = await Swtpm.start({ stateDirectory: directory.path });
  const keys: string[] = [];
  for (let turn = 0; turn < 3; turn++) {
    await using tpm = new Tpm(await openTransport(parseTcti(swtpm.tcti)));
    const [, key = ""] = await story(tpm);
    keys.push(key);
  }
  assert.equal(new Set(keys).size, 1);
});

Deno.test("a TPM that loses its power makes its client useless, not silent", async () => {
  await using directory = await temporaryDirectory();
  await using swtpm = await Swtpm.start({ stateDirectory: directory.path });
  await using tpm = new Tpm(await openTransport(parseTcti(swtpm.tcti)));
  await tpm.execute(GetRandom, { bytesRequested: 1 });
  await swtpm.powerCut();
  await assert.rejects(
    tpm.execute(GetRandom, { bytesRequested: 1 }),
    /^TransportError: swtpm at .* failed$/,
  );
  await assert.rejects(
    tpm.execute(GetRandom, { bytesRequested: 1 }),
    /^TransportError: swtpm at .* is out of use$/,
  );
});
