import assert from "node:assert/strict";
import { Notifier } from "../../service/notifier.ts";
import { recordingLog } from "../api/support/attester.ts";
import { waitFor } from "../lab/wait.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";
import { ServiceManager } from "./support/service_manager.ts";

Deno.test("Notifier sends a notice to a path and to an abstract name", async (t) => {
  await using place = await temporaryDirectory();
  const name = `@deno-keylime-test-${crypto.randomUUID()}`;
  for (const address of [`${place.path}/notify`, name]) {
    await t.step(address.slice(0, 1), () => {
      const { log, lines } = recordingLog();
      using manager = new ServiceManager(address);
      using notifier = new Notifier(address, log);
      notifier.send({ READY: "1", STATUS: "Täglich" });
      notifier.send({ WATCHDOG: "1" });
      assert.deepEqual(manager.take(), [
        "READY=1\nSTATUS=Täglich",
        "WATCHDOG=1",
      ]);
      assert.deepEqual(lines, []);
    });
  }
});

Deno.test("Notifier lets no text start a field or exceed a notice", () => {
  using manager = new ServiceManager();
  using notifier = new Notifier(manager.address, recordingLog().log);
  notifier.send({ STATUS: "bad\nMAINPID=1\r\nREADY=1\u2028\0\u202e" });
  notifier.send({ STATUS: "ü".repeat(5000) });
  const [first, second] = manager.take();
  assert.equal(
    first,
    "STATUS=bad\\u000aMAINPID=1\\u000d\\u000aREADY=1\\u2028\\u0000\\u202e",
  );
  assert.equal(second, `STATUS=${"ü".repeat(500)}`);
});

Deno.test("Notifier without an address tells nobody and says nothing", () => {
  for (const address of [undefined, ""]) {
    const { log, lines } = recordingLog();
    using notifier = new Notifier(address, log);
    notifier.send({ READY: "1" });
    assert.deepEqual(lines, []);
  }
});

Deno.test("Notifier warns of an address that it cannot use, and goes on", async (t) => {
  for (const address of ["relative", "vsock:2:1", "@", `/${"x".repeat(108)}`]) {
    await t.step(address.slice(0, 10), () => {
      const { log, lines } = recordingLog();
      using notifier = new Notifier(address, log);
      notifier.send({ READY: "1" });
      assert.equal(lines.length, 1);
      assert.match(lines[0] ?? "", /^warn .*NOTIFY_SOCKET is ".*": It /);
    });
  }
});

Deno.test("Notifier outlives a service manager that is gone, and finds the next", async () => {
  await using place = await temporaryDirectory();
  const address = `${place.path}/notify`;
  const { log, lines } = recordingLog();
  using notifier = new Notifier(address, log);
  notifier.send({ READY: "1", STATUS: "not there yet" });
  const gone = new ServiceManager(address);
  await waitFor("the first notice", () => gone.take().length > 0);
  gone[Symbol.dispose]();
  notifier.send({ STATUS: "not there any more" });
  notifier.send({ STATUS: "still not there" });
  await Deno.remove(address);
  using next = new ServiceManager(address);
  await waitFor("the next notice", () => next.take().length > 0);
  assert.deepEqual(gone.notices, ["READY=1\nSTATUS=not there yet"]);
  assert.deepEqual(next.notices, ["STATUS=still not there"]);
  assert.deepEqual(lines, [
    "debug The service manager takes no notice; trying again",
  ]);
});

Deno.test("Notifier never waits for a full queue, and sends the newest once it can", async () => {
  using manager = new ServiceManager();
  const { log, lines } = recordingLog();
  using notifier = new Notifier(manager.address, log);
  notifier.send({ READY: "1", STATUS: "0" });
  const started = performance.now();
  let count = 1;
  while (lines.length === 0) notifier.send({ STATUS: String(count++) });
  notifier.send({ WATCHDOG: "1" });
  notifier.send({ STATUS: "newest", STOPPING: "1" });
  assert.ok(performance.now() - started < 5000);
  const queued = manager.take();
  assert.equal(queued.length, count - 1, "a notice was lost");
  await waitFor("the rest", () => manager.take().length > 0);
  assert.deepEqual(manager.notices.slice(queued.length), [
    "STATUS=newest\nWATCHDOG=1\nSTOPPING=1",
  ]);
  assert.equal(lines.length, 1);
});

Deno.test("Notifier can be given up with notices unsent", () => {
  using manager = new ServiceManager();
  const { log, lines } = recordingLog();
  {
    using notifier = new Notifier(manager.address, log);
    while (lines.length === 0) notifier.send({ STATUS: "again" });
  }
  const queued = manager.take().length;
  assert.ok(queued > 0);
  assert.deepEqual(manager.take(), []);
});
