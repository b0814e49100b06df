import assert from "node:assert/strict";
import { CredentialError } from "../../agent/credential.ts";
import type {
  RegistrationOptions,
  RegistrationProgress,
} from "../../agent/registration.ts";
import { ActivateCredential, TpmError } from "../../tpm/mod.ts";
import { recordingLog } from "../api/support/attester.ts";
import { freePorts } from "../lab/ports.ts";
import {
  answer,
  BLOB,
  FakeRegistrar,
  type Script,
  versions,
  watchedSignal,
} from "./support/fake_registrar.ts";
import {
  assertRefused,
  attempt,
  DIALOGUE,
  play,
  REGISTERED,
  UUID,
} from "./support/registering.ts";

Deno.test("register() tries again what may pass", async (t) => {
  const garbage = (): Response => new Response("<html>");
  const giant = (): Response => new Response("[".repeat(2 << 20));
  const rows = [
    ...[408, 429, 500, 502, 503, 504, 599].map((status) => ({
      name: `status ${status}`,
      fault: answer(status),
      want: new RegExp(`with status ${status} \\("Status ${status}"\\)`),
    })),
    { name: "no JSON", fault: garbage, want: /is no Keylime registrar/ },
    { name: "a giant answer", fault: giant, want: /exceeds 1048576 bytes/ },
  ];
  for (const method of ["GET", "POST", "PUT"] as const) {
    for (const { name, fault, want } of rows) {
      await t.step(`${name} to ${method}`, async () => {
        const good = {
          GET: versions("2.6"),
          POST: answer(200, { blob: BLOB }),
          PUT: answer(200),
        }[method];
        const script = { [method]: [fault, fault, good] };
        const { asked, error, lines } = await play(script);
        assert.equal(error, undefined);
        const one = DIALOGUE.slice(
          0,
          1 + DIALOGUE.findIndex((request) => request.startsWith(method)),
        );
        assert.deepEqual(asked, [...one, ...one, ...DIALOGUE]);
        const told = lines.filter((line) => line.startsWith("warn"));
        assert.equal(told.length, 2);
        assert.match(
          told[0] ?? "",
          /^warn Registration failed \(attempt 1\): /,
        );
        assert.match(told[1] ?? "", /\(attempt 2\).*; trying again in 0\.0 s$/);
        assert.match(told[0] ?? "", want);
      });
    }
  }
  await t.step("no credential in the answer", async () => {
    const POST = [
      answer(200),
      answer(200, { blob: 1 }),
      answer(200, { blob: BLOB }),
    ];
    const { error, lines } = await play({ POST });
    assert.equal(error, undefined);
    assert.match(lines.join("\n"), /warn .*holds no credential/);
  });
});

Deno.test("register() tells how each attempt ended", async () => {
  const told: RegistrationProgress[] = [];
  const onProgress = (progress: RegistrationProgress): unknown =>
    told.push(progress);
  await play({ POST: [answer(503), answer(200, { blob: BLOB })] }, {
    onProgress,
  });
  assert.deepEqual(told.map(({ kind }) => kind), ["failed", "registered"]);
  const [failed, registered] = told;
  assert.ok(failed?.kind === "failed" && registered?.kind === "registered");
  assert.match(String(failed.error), /status 503/);
  assert.equal(failed.delayMs, 1);
  assert.match(registered.registrar, /^127\.0\.0\.1:\d+$/);
  told.length = 0;
  await play({ POST: [answer(403)] }, { onProgress });
  assert.deepEqual(told, []);
});

Deno.test("register() takes one connection for each attempt", async () => {
  await using registrar = FakeRegistrar.start({
    PUT: [answer(503), answer(200)],
  });
  const { error } = await attempt(registrar.port);
  assert.equal(error, undefined);
  assert.deepEqual(registrar.asked, [...DIALOGUE, ...DIALOGUE]);
  const ports = registrar.requests.map(({ port }) => port);
  const [first, second] = [ports.slice(0, 3), ports.slice(3)];
  assert.equal(new Set(ports).size, 2);
  assert.deepEqual([new Set(first).size, new Set(second).size], [1, 1]);
});

Deno.test("register() waits as long as the registrar asks", async () => {
  const controller = new AbortController();
  const busy = answer(503, {}, { "Retry-After": "7" });
  const { log, lines } = recordingLog();
  const warn = (line: string): void => {
    log.warn(line);
    controller.abort();
  };
  await play({ GET: [busy] }, {
    log: { ...log, warn },
    signal: controller.signal,
    backoff: { initialDelayMs: 1, maxDelayMs: 60_000, maxRetries: 3 },
  });
  assert.match(lines.join("\n"), /trying again in 7\.0 s$/);
});

Deno.test("register() tries until there is a registrar", async () => {
  const port = freePorts();
  const { log, lines } = recordingLog();
  let registrar: FakeRegistrar | undefined;
  const error = (line: string): void => {
    log.error(line);
    registrar ??= FakeRegistrar.start({}, port);
  };
  const result = await attempt(port, { log: { ...log, error } });
  await registrar?.[Symbol.asyncDispose]();
  assert.equal(result.error, undefined);
  const failures = lines.filter((line) => line.includes("Network error"));
  assert.match(failures[0] ?? "", /Network error.*connection failed/);
  assert.deepEqual(
    failures.slice(0, 4).map((line) => line.split(" ")[0]),
    ["warn", "warn", "warn", "error"],
  );
  assert.equal(lines.at(-1), `info SUCCESS: Agent ${UUID} activated`);
});

Deno.test("register() proves the keys up to three times", async (t) => {
  const foreign = new TpmError(ActivateCredential, 0x1df);
  const rows: readonly {
    readonly name: string;
    readonly script?: Script;
    readonly activate?: RegistrationOptions["activate"];
    readonly want: RegExp;
    readonly steps: number;
  }[] = [
    {
      name: "refused",
      script: { PUT: [answer(400)] },
      want: /status 400 \("Status 400"\)/,
      steps: 3,
    },
    {
      name: "unknown",
      script: { PUT: [answer(404)] },
      want: /status 404/,
      steps: 3,
    },
    {
      name: "a credential that is none",
      script: { POST: [answer(200, { blob: "AAAA" })] },
      want: /credential cannot be opened: The credential is malformed/,
      steps: 2,
    },
    {
      name: "a credential for another TPM",
      activate: () => Promise.reject(foreign),
      want: /credential cannot be opened: TPM2_ActivateCredential failed/,
      steps: 2,
    },
    {
      name: "a malformed credential found late",
      activate: () => Promise.reject(new CredentialError("No")),
      want: /credential cannot be opened: No/,
      steps: 2,
    },
  ];
  for (const { name, script = {}, activate, want, steps } of rows) {
    await t.step(name, async () => {
      const change = activate === undefined ? {} : { activate };
      const { asked, error, lines } = await play(script, change);
      const dialogue = DIALOGUE.slice(0, steps);
      assert.deepEqual(asked, [...dialogue, ...dialogue, ...dialogue]);
      assertRefused(error, /did not accept 3 proofs that the keys of agent/);
      const told = lines.filter((line) => line.startsWith("warn"));
      assert.equal(told.length, 2);
      assert.match(told[0] ?? "", want);
    });
  }
  await t.step(
    "two failures are forgiven, also with others between",
    async () => {
      const PUT = [answer(400), answer(503), answer(404), answer(200)];
      const { asked, error } = await play({ PUT });
      assert.equal(error, undefined);
      assert.equal(asked.length, 4 * DIALOGUE.length);
    },
  );
});

Deno.test("register() passes the TPM's own trouble on at once", async () => {
  const trouble = new Error("The TPM is gone");
  const { asked, error } = await play({}, {
    activate: () => Promise.reject(trouble),
  });
  assert.equal(error, trouble);
  assert.deepEqual(asked, REGISTERED);
});

Deno.test("register() ends at once when it is told to, and forgets the signal", async (t) => {
  const never = (): Promise<Response> => new Promise(() => {});
  const backoff = { initialDelayMs: 1e6, maxDelayMs: 1e6, maxRetries: 3 };
  await t.step("in a pause", async () => {
    const { signal, abort, listeners } = watchedSignal();
    setTimeout(abort, 50);
    const { error } = await play({ GET: [answer(503)] }, { signal, backoff });
    assert.equal(error, signal.reason);
    assert.equal(listeners(), 0);
  });
  for (const method of ["GET", "POST", "PUT"]) {
    await t.step(`while ${method} is not answered`, async () => {
      const { signal, abort, listeners } = watchedSignal();
      await using server = FakeRegistrar.start({ [method]: [never] });
      setTimeout(abort, 50);
      const { error } = await attempt(server.port, { signal, backoff });
      assert.equal(error, signal.reason);
      assert.equal(listeners(), 0);
    });
  }
  await t.step("while the TPM works", async () => {
    const { signal, abort, listeners } = watchedSignal();
    const { asked, error } = await play({}, {
      signal,
      activate: () => {
        abort();
        return Promise.resolve("00");
      },
    });
    assert.equal(error, signal.reason);
    assert.deepEqual(asked, REGISTERED);
    assert.equal(listeners(), 0);
  });
  await t.step("before it began", async () => {
    const { signal, abort } = watchedSignal();
    abort();
    const { asked, error } = await play({}, { signal });
    assert.equal(error, signal.reason);
    assert.deepEqual(asked, []);
  });
  await t.step("after many pauses", async () => {
    const { signal, listeners } = watchedSignal();
    const GET = [...Array(20).fill(answer(503)), versions("2.6")];
    const { error } = await play({ GET }, { signal });
    assert.equal(error, undefined);
    assert.equal(listeners(), 0);
  });
});
