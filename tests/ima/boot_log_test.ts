import assert from "node:assert/strict";
import { BootLog } from "../../ima/boot_log.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";

const FIXTURE = new URL(
  "../fixtures/ima/rust-keylime-uefi-log.bin",
  import.meta.url,
).pathname;

Deno.test("read() gives the whole log in base64", async () => {
  using log = await BootLog.open(FIXTURE);
  const bytes = await Deno.readFile(FIXTURE);
  assert.equal(await log.read(), bytes.toBase64());
  assert.equal(log.problem, undefined);
});

Deno.test("read() reads the file once, whoever asks how often", async () => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/log`;
  const bytes = new Uint8Array(200_000).map((_, i) => i % 251);
  await Deno.writeFile(path, bytes);
  using log = await BootLog.open(path);
  const first = await Promise.all([log.read(), log.read()]);
  await Deno.writeTextFile(path, "other");
  assert.deepEqual(
    [...first, await log.read()],
    Array(3).fill(bytes.toBase64()),
  );
});

Deno.test("read() finds a log that appears after the start", async () => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/later`;
  using log = await BootLog.open(path);
  assert.match(log.problem?.message ?? "", /^Cannot open the log ".*later"$/);
  assert.equal(await log.read(), undefined);
  await Deno.writeTextFile(path, "boot");
  assert.equal(await log.read(), btoa("boot"));
  assert.equal(log.problem, undefined);
});

Deno.test("read() gives nothing and the reason for a log it cannot read", async () => {
  await using directory = await temporaryDirectory();
  using log = await BootLog.open(directory.path);
  assert.equal(await log.read(), undefined);
  assert.equal(
    log.problem?.message,
    `Cannot read the measured-boot log "${directory.path}"`,
  );
  assert.ok(log.problem?.cause instanceof Error);
});

Deno.test("read() refuses a log over 16 MiB", async () => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/log`;
  const limit = 16 * 1024 * 1024;
  await Deno.writeFile(path, new Uint8Array(limit));
  using log = await BootLog.open(path);
  await Deno.truncate(path, limit + 1);
  assert.equal(await log.read(), undefined);
  assert.match(String(log.problem?.cause), /larger than 16777216 bytes/);
  await Deno.truncate(path, limit);
  assert.equal((await log.read())?.length, 4 * Math.ceil(limit / 3));
  assert.equal(log.problem, undefined);
});
