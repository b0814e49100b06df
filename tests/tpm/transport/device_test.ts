import assert from "node:assert/strict";
import { openDevice } from "../../../tpm/transport/device.ts";
import { TransportError } from "../../../tpm/transport/transport.ts";
import { temporaryDirectory } from "../../support/temporary_directory.ts";

const COMMAND = Uint8Array.fromHex("80010000000c0000017b0010");

async function assertFails(
  work: Promise<unknown>,
  message: RegExp,
): Promise<TransportError> {
  const error = await work.then(
    () => assert.fail("it did not fail"),
    (error) => error,
  );
  assert.ok(error instanceof TransportError, String(error));
  assert.match(error.message, message);
  return error;
}

Deno.test("openDevice() says that a device does not exist", async () => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/tpmrm0`;
  const error = await assertFails(
    openDevice(path),
    /TPM device .*tpmrm0: the device does not exist; is a TPM 2\.0 present/,
  );
  assert.ok(error.message.includes(path));
  assert.ok(error.cause instanceof Deno.errors.NotFound);
});

Deno.test({
  name: "openDevice() says that access is denied",
  permissions: { read: true, write: false },
  async fn() {
    await assertFails(
      openDevice("/dev/null"),
      /TPM device \/dev\/null: access is denied; the agent's user must be in/,
    );
  },
});

Deno.test("openDevice() refuses what cannot be opened for other reasons", async () => {
  await assertFails(
    openDevice("/dev"),
    /TPM device \/dev: it cannot be opened/,
  );
});

Deno.test("transmit() fails when the device gives no response", async () => {
  await using device = await openDevice("/dev/null");
  const error = await assertFails(
    device.transmit(COMMAND),
    /^TPM device \/dev\/null failed$/,
  );
  assert.match(String(error.cause), /it gave no response/);
  assert.equal(error.isInStep, false);
});

Deno.test("transmit() fails when the device takes nothing", async () => {
  await using device = await openDevice("/dev/full");
  const error = await assertFails(
    device.transmit(COMMAND),
    /^TPM device \/dev\/full failed$/,
  );
  assert.match(String(error.cause), /No space left/);
  assert.equal(error.isInStep, true);
});

Deno.test("transmit() gives what one read gives", async () => {
  await using device = await openDevice("/dev/zero");
  const response = await device.transmit(COMMAND);
  assert.equal(response.length, 4096);
});

Deno.test("a device knows whether the kernel manages its resources", async (t) => {
  await using directory = await temporaryDirectory();
  for (
    const [name, isManaged] of [
      ["tpm0", false],
      ["tpmrm0", true],
      ["tpmrm12", true],
      ["tpmrm", false],
    ] as const
  ) {
    await t.step(name, async () => {
      const path = `${directory.path}/${name}`;
      await Deno.writeFile(path, new Uint8Array(0));
      await using device = await openDevice(path);
      assert.equal(device.hasResourceManager, isManaged);
      assert.equal(device.target, path);
    });
  }
});
