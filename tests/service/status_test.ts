import assert from "node:assert/strict";
import { RegistrarUnreachableError } from "../../agent/registrar_client.ts";
import type { Notice } from "../../service/notifier.ts";
import { Status } from "../../service/status.ts";
import { waitFor } from "../lab/wait.ts";

/** Takes notices, and shows the last of them. */
class Recorder {
  readonly notices: Notice[] = [];

  send(notice: Notice): void {
    this.notices.push(notice);
  }

  get last(): string {
    return this.notices.at(-1)?.STATUS ?? "";
  }
}

const REGISTRAR = "192.0.2.1:8890";
const TIME = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ";

Deno.test("Status tells the way from the start to the stop", () => {
  const recorder = new Recorder();
  using status = new Status(recorder);
  status.ready();
  const error = new RegistrarUnreachableError("No way to the registrar", {
    cause: new Error("refused"),
  });
  status.registration({ kind: "failed", error, delayMs: 11_200 });
  status.registration({ kind: "registered", registrar: REGISTRAR });
  status.stopping();
  status.quoted();
  status.registration({ kind: "failed", error, delayMs: 1 });
  assert.deepEqual(recorder.notices, [
    { STATUS: "Starting: waiting for the TPM" },
    { READY: "1", STATUS: "Not registered: asking the registrar" },
    {
      STATUS: "Not registered: No way to the registrar: refused; " +
        "trying again in 12 s",
    },
    { STATUS: `Registered with registrar ${REGISTRAR}; no quote yet` },
    { STOPPING: "1", STATUS: "Stopping" },
  ]);
});

Deno.test("Status counts quotes, and shows that the last one failed until one succeeds", () => {
  const recorder = new Recorder();
  using status = new Status(recorder);
  /** What a change of anything but quotes shows at once. */
  const shown = (): string => {
    status.registration({ kind: "registered", registrar: REGISTRAR });
    return recorder.last.replace(
      `Registered with registrar ${REGISTRAR}; `,
      "",
    );
  };
  status.quoted(new Error("TPM2_Quote failed"));
  assert.equal(shown(), "no quote yet; last quote failed: TPM2_Quote failed");
  status.quoted();
  assert.match(shown(), new RegExp(`^1 quote, last ${TIME}$`));
  for (let quote = 2; quote <= 1234; quote++) status.quoted();
  assert.match(shown(), new RegExp(`^1,234 quotes, last ${TIME}$`));
  status.quoted(new Error("x".repeat(1000)));
  assert.match(
    shown(),
    new RegExp(`^1,234 quotes, last ${TIME}; last quote failed: x{200}…$`),
  );
});

Deno.test("Status shows quotes of an agent that a verifier knows and the registrar does not", () => {
  const recorder = new Recorder();
  using status = new Status(recorder);
  status.quoted();
  assert.match(
    recorder.last,
    /^Not registered: asking the registrar; 1 quote, last /,
  );
});

Deno.test("Status spares the service manager, and ends with the last quote", async () => {
  const recorder = new Recorder();
  using status = new Status(recorder, { pauseMs: 100 });
  const before = recorder.notices.length;
  for (let quote = 1; quote <= 1000; quote++) status.quoted();
  assert.equal(recorder.notices.length, before + 1);
  await waitFor("the last", () => recorder.last.includes("1,000 quotes"), {
    everyMs: 5,
  });
  assert.equal(recorder.notices.length, before + 2);
  status.quoted(new Error("No"));
  status.stopping();
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(recorder.last, "Stopping");
});
