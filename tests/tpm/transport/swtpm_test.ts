import assert from "node:assert/strict";
import { connectSwtpm } from "../../../tpm/transport/swtpm.ts";
import { TransportError } from "../../../tpm/transport/transport.ts";
import { temporaryDirectory } from "../../support/temporary_directory.ts";
import { stubServer } from "./stub_server.ts";

const COMMAND = Uint8Array.fromHex("80010000000c0000017b0010");
const SUCCESS = "80010000000a00000000";

/** What a swtpm that answers `pieces` is understood to answer. */
async function answerTo(...pieces: readonly string[]): Promise<Uint8Array> {
  await using directory = await temporaryDirectory();
  await using server = stubServer(
    `${directory.path}/tpm`,
    pieces.map((piece) => Uint8Array.fromHex(piece)),
  );
  await using transport = await connectSwtpm({
    transport: "unix",
    path: server.path,
  });
  return await transport.transmit(COMMAND);
}

Deno.test("transmit() puts a response together that comes in pieces", async () => {
  const response = await answerTo("80", "01000000", "0c000000", "0012", "34");
  assert.equal(response.toHex(), "80010000000c000000001234");
});

Deno.test("transmit() refuses what is no response", async (t) => {
  const rows: readonly [string, readonly string[], RegExp][] = [
    ["nothing", [], /the connection ended after 0 of 10 bytes/],
    ["half a header", ["8001000000"], /ended after 5 of 10 bytes/],
    [
      "half a response",
      ["80010000000c00000000", "12"],
      /ended after 11 of 12 bytes/,
    ],
    [
      "a size smaller than its header",
      ["80010000000900000000"],
      /a response of 9 bytes is not in 10\.\.4096/,
    ],
    [
      "a size that no TPM has",
      ["80010000100100000000"],
      /a response of 4097 bytes is not in 10\.\.4096/,
    ],
    [
      "more than a response",
      ["80010000000a0000000080"],
      /11 bytes came for a response of 10 bytes/,
    ],
    [
      "the largest size there is",
      ["8001ffffffff00000000"],
      /a response of 4294967295 bytes is not in/,
    ],
  ];
  for (const [name, pieces, cause] of rows) {
    await t.step(name, async () => {
      await assert.rejects(answerTo(...pieces), (error) => {
        assert.ok(error instanceof TransportError, String(error));
        assert.match(error.message, /^swtpm at .*\/tpm failed$/);
        assert.match(String(error.cause), cause);
        return true;
      });
    });
  }
});

Deno.test("transmit() takes the largest response there is", async () => {
  const body = "00".repeat(4096 - 10);
  const response = await answerTo(`80010000100000000000${body}`);
  assert.equal(response.length, 4096);
});

Deno.test("connectSwtpm() says that nobody listens", async (t) => {
  await using directory = await temporaryDirectory();
  await t.step("on a Unix socket", async () => {
    const path = `${directory.path}/none`;
    await assert.rejects(connectSwtpm({ transport: "unix", path }), (error) => {
      assert.ok(error instanceof TransportError);
      assert.equal(
        error.message,
        `swtpm at ${path} cannot be reached; is it running?`,
      );
      assert.ok(error.cause instanceof Deno.errors.NotFound);
      return true;
    });
  });
  await t.step("on a port", async () => {
    using free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = free.addr;
    free.close();
    await assert.rejects(
      connectSwtpm({ transport: "tcp", hostname: "127.0.0.1", port }),
      /^TransportError: swtpm at 127\.0\.0\.1:\d+ cannot be reached; is it/,
    );
  });
});

Deno.test("a socket's resources are managed by nobody", async () => {
  await using directory = await temporaryDirectory();
  await using server = stubServer(`${directory.path}/tpm`, [
    Uint8Array.fromHex(SUCCESS),
  ]);
  await using transport = await connectSwtpm({
    transport: "unix",
    path: server.path,
  });
  assert.equal(transport.hasResourceManager, false);
  assert.equal((await transport.transmit(COMMAND)).toHex(), SUCCESS);
});
