import assert from "node:assert/strict";
import { MESSAGE_LIMIT } from "../../revocation/message.ts";
import type { Notification } from "../../revocation/signature.ts";
import { RevocationBench } from "./bench.ts";
import { GIVEN, revocation, signed } from "./signing.ts";

/** Ends the list, so that its end can be waited for. */
const DONE = { last: "echo done" };

async function bothDone(bench: RevocationBench, times = 1): Promise<void> {
  await bench.has(/action last succeeded/, times);
}

Deno.test("submit() runs the administrator's actions, then the payload's", async () => {
  await using bench = await RevocationBench.open({
    config: { actions: ["z_own", "a_own"] },
  });
  for (const name of ["z_own", "a_own"]) {
    await bench.script(bench.installed, name, `echo ${name}`);
  }
  await bench.deliver({
    y_theirs: "sleep 0.05; echo y_theirs",
    b_theirs: 'echo b_theirs; cat "$1"',
    ...DONE,
  });
  const msg =
    '{"type": "revocation", "ip": "127.0.0.1", "b": {"y": 1, "x": 2}}';
  assert.ok(bench.revocations.submit(signed(msg)));
  await bothDone(bench);
  assert.deepEqual(bench.output, [
    ...["z_own", "a_own", "y_theirs", "b_theirs"],
    '{"b":{"x":2,"y":1},"ip":"127.0.0.1","type":"revocation"}',
    "done",
  ]);
  assert.deepEqual(await bench.messageFiles(), []);
});

Deno.test("submit() acts on the given messages as they say", async (t) => {
  for (const { name, body, expected } of GIVEN.cases) {
    await t.step(`${name}: ${expected}`, async () => {
      await using bench = await RevocationBench.open();
      await bench.deliver(DONE);
      const signature = body.signature ?? "";
      assert.ok(bench.revocations.submit({ msg: body.msg, signature }));
      if (name === "good") {
        await bothDone(bench);
      } else {
        assert.match(
          bench.lines.at(-1) ?? "",
          /^warn Revocation dropped: The /,
        );
        assert.ok(!bench.lines.join().includes("cert_serial"));
      }
      // A second message tells that nothing of the first one is under way.
      bench.revocations.submit(revocation());
      await bothDone(bench, name === "good" ? 2 : 1);
      assert.equal(bench.output.length, name === "good" ? 2 : 1);
    });
  }
});

Deno.test("submit() runs nothing for hostile messages", async (t) => {
  const { msg, signature } = revocation();
  const large = signed(
    `{"type":"revocation","x":"${"x".repeat(MESSAGE_LIMIT)}"}`,
  );
  const deep = signed(
    `{"type":"revocation","x":${"[".repeat(9_999)}${"]".repeat(9_999)}}`,
  );
  const rows: readonly (readonly [string, Notification, RegExp])[] = [
    ["over 1 MiB, well signed", large, /has 10486\d\d characters, expected at/],
    ["10 MB", { msg: "x".repeat(1e7), signature }, /has 10000000 characters/],
    ["unsigned", { msg, signature: "" }, /not signed/],
    ["no Base64", { msg, signature: "%" }, /not Base64/],
    ["a 10 MB signature", { msg, signature: "A".repeat(1e7) }, /not Base64/],
    ["another's signature", { msg: "{}", signature }, /is not one by/],
    ["one blank more", { msg: `${msg} `, signature }, /is not one by/],
    ["lone surrogates", { msg: "\ud800", signature }, /is not one by/],
    ["deep nesting", deep, /nested more than 128 deep/],
    ["unknown type", signed('{"type":"reboot"}'), /unknown type "reboot"/],
    ["no type", signed("{}"), /has no type/],
    ["an array", signed("[]"), /no JSON object/],
  ];
  for (const [name, notification, wanted] of rows) {
    await t.step(name, async () => {
      await using bench = await RevocationBench.open();
      await bench.deliver({ action: "echo ran" });
      assert.ok(bench.revocations.submit(notification));
      const [loaded, dropped, ...more] = bench.lines;
      assert.match(loaded ?? "", /^info Loaded the revocation certificate/);
      assert.match(dropped ?? "", /^warn Revocation dropped: /);
      assert.match(dropped ?? "", wanted);
      assert.ok((dropped ?? "").length < 300);
      assert.deepEqual(more, []);
    });
  }
});

Deno.test("submit() runs nothing for lists that reach elsewhere", async (t) => {
  const rows: readonly (readonly [string, RegExp])[] = [
    ["../../libexec/own", /action "\.\.\/\.\.\/libexec\/own" is refused/],
    ["/bin/true", /action "\/bin\/true" is refused/],
    ["..", /action "\.\." is refused/],
    ["sub/action", /action "sub\/action" is refused/],
    ["a,,b", /"action_list" is no list of names/],
    ["link", /link" is no regular file/],
    ["sub", /sub" is no regular file/],
    ["missing", /action missing is in none of/],
    ["plain", /action plain could not be started/],
    ["RevocationNotifier-cert.crt", /crt could not be started/],
  ];
  for (const [list, wanted] of rows) {
    await t.step(list, async () => {
      await using bench = await RevocationBench.open();
      await bench.script(bench.installed, "own", "echo ran");
      await Deno.mkdir(`${bench.unzipped}/sub`);
      await bench.script(`${bench.unzipped}/sub`, "action", "echo ran");
      await bench.script(bench.unzipped, "after", "echo ran");
      await Deno.symlink(
        `${bench.installed}/own`,
        `${bench.unzipped}/link`,
      );
      await Deno.writeTextFile(
        `${bench.unzipped}/plain`,
        "#!/bin/sh\necho ran",
      );
      const separator = list.includes(",") ? "," : "\n";
      await Deno.writeTextFile(
        `${bench.unzipped}/action_list`,
        `${list}${separator}after`,
      );
      bench.revocations.submit(revocation());
      await bench.has(/^error Revocation actions ended early: /);
      assert.match(bench.lines.at(-1) ?? "", wanted);
      assert.deepEqual(bench.output, []);
      assert.deepEqual(await bench.messageFiles(), []);
    });
  }
});

Deno.test("submit() runs the administrator's actions whatever the payload lists", async () => {
  await using bench = await RevocationBench.open({
    config: { actions: ["own"] },
  });
  await bench.script(bench.installed, "own", "echo own");
  await Deno.writeTextFile(`${bench.unzipped}/action_list`, ",,");
  bench.revocations.submit(revocation());
  await bench.has(/^error Revocation actions ended early: .*no list of names/);
  assert.deepEqual(bench.output, ["own"]);
});

Deno.test("submit() stops at the first action that fails", async () => {
  await using bench = await RevocationBench.open();
  await bench.deliver({
    first: "echo first",
    second: "echo second; exit 7",
    third: "echo third",
  });
  bench.revocations.submit(revocation());
  await bench.has(
    /^error Revocation actions ended early: .* second failed with exit status 7$/,
  );
  assert.deepEqual(bench.output, ["first", "second"]);
});

Deno.test("submit() ends an action that exceeds the time limit", async () => {
  await using bench = await RevocationBench.open({
    config: { actionTimeLimitMs: 200 },
  });
  await bench.deliver({ endless: "sleep 100 & wait", ...DONE });
  bench.revocations.submit(revocation());
  await bench.has(/^error .* endless did not end within 0\.2 s/);
  assert.deepEqual(bench.output, []);
});

Deno.test("submit() skips the payload's actions where they may not run", async () => {
  await using bench = await RevocationBench.open({
    config: { payloadActions: "refused" },
  });
  await bench.deliver({ theirs: "echo theirs", last: "echo theirs" });
  await bench.script(bench.installed, "last", "echo installed");
  bench.revocations.submit(revocation());
  await bothDone(bench);
  await bench.has(/^warn Revocation action theirs skipped: .*" is off$/);
  assert.deepEqual(bench.output, ["installed"]);
});

Deno.test("submit() handles one revocation after the other, in order", async () => {
  await using bench = await RevocationBench.open();
  await bench.deliver({
    action: 'echo begin; cat "$1"; echo; sleep 0.05; echo end',
    ...DONE,
  });
  for (const n of [3, 1, 2]) bench.revocations.submit(revocation(n));
  await bothDone(bench, 3);
  const shown = bench.output.map((line) =>
    /event\.(\d)/.exec(line)?.[1] ?? line
  );
  const one = (n: string): string[] => ["begin", n, "end", "done"];
  assert.deepEqual(shown, ["3", "1", "2"].flatMap(one));
});

Deno.test("submit() drops a message that came before, however it is signed", async () => {
  await using bench = await RevocationBench.open();
  await bench.deliver(DONE);
  const [first, again] = [revocation(1), revocation(1)];
  assert.notEqual(first.signature, again.signature);
  assert.ok(bench.revocations.submit(first));
  assert.ok(bench.revocations.submit(again));
  bench.revocations.submit(revocation(2));
  await bothDone(bench, 2);
  assert.equal(bench.count(/^info Revocation dropped, it came before: /), 1);
  assert.equal(bench.output.length, 2);
});

Deno.test("submit() says so when too many wait", async () => {
  await using bench = await RevocationBench.open();
  await bench.deliver({ slow: "sleep 100" });
  assert.ok(bench.revocations.submit(revocation(0)));
  await bench.has(/^info Executing revocation action slow$/);
  const taken = Array.from(
    { length: 40 },
    (_, n) => bench.revocations.submit(revocation(n + 1)),
  );
  assert.deepEqual(taken.filter((isTaken) => isTaken).length, 32);
  assert.equal(bench.count(/^error Revocation dropped, 32 others wait/), 8);
  bench.stop.abort();
});

Deno.test("submit() says when there is nothing to do", async () => {
  await using bench = await RevocationBench.open({
    config: { actionsDir: undefined },
  });
  bench.revocations.submit(revocation());
  await bench.has(/^info No revocation action is set up$/);
});

Deno.test("submit() drops everything while there is no certificate", async () => {
  await using bench = await RevocationBench.open({ certificate: null });
  await bench.deliver(DONE);
  assert.match(bench.lines[0] ?? "", /^debug No revocation certificate at "/);
  bench.revocations.submit(revocation());
  await bench.has(/^warn Revocation dropped: There is no revocation certif/);
  // A payload brings it.
  await Deno.writeTextFile(bench.certificate, GIVEN.certificate_pem);
  await bench.revocations.reload();
  bench.revocations.submit(revocation());
  await bothDone(bench);
});

Deno.test("reload() takes the certificate of the newest payload", async () => {
  await using bench = await RevocationBench.open({
    certificate: GIVEN.other_certificate_pem,
  });
  await bench.deliver(DONE);
  bench.revocations.submit(revocation());
  await bench.has(/^warn Revocation dropped: The signature is not one by/);
  await Deno.writeTextFile(bench.certificate, GIVEN.certificate_pem);
  await bench.revocations.reload();
  await bench.revocations.reload();
  assert.equal(bench.count(/^info Loaded the revocation certificate/), 2);
  bench.revocations.submit(revocation());
  await bothDone(bench);
});

Deno.test("reload() keeps the certificate when a payload brings none", async () => {
  await using bench = await RevocationBench.open();
  await bench.deliver(DONE);
  await Deno.remove(bench.certificate);
  await bench.revocations.reload();
  bench.revocations.submit(revocation());
  await bothDone(bench);
});

Deno.test("reload() leaves none when it is unusable", async (t) => {
  const rows: readonly (readonly [
    string,
    (path: string) => Promise<void>,
    RegExp,
  ])[] = [
    [
      "an EC key",
      (path) => Deno.writeTextFile(path, GIVEN.ec_certificate_pem),
      /key of type "ec", expected RSA$/,
    ],
    [
      "no certificate",
      (path) => Deno.writeTextFile(path, "nonsense"),
      /holds no usable certificate/,
    ],
    [
      "a large file",
      (path) => Deno.writeTextFile(path, "\n".repeat(1_048_577)),
      /Expected a regular file of at most 1048576 bytes$/,
    ],
    [
      "a directory",
      async (path) => {
        await Deno.remove(path);
        await Deno.mkdir(path);
      },
      /Expected a regular file/,
    ],
  ];
  for (const [name, make, wanted] of rows) {
    await t.step(name, async () => {
      await using bench = await RevocationBench.open();
      await bench.deliver(DONE);
      await make(bench.certificate);
      await bench.revocations.reload();
      assert.match(
        bench.lines.at(-1) ?? "",
        /^error Cannot use the revocation/,
      );
      assert.match(bench.lines.at(-1) ?? "", wanted);
      bench.revocations.submit(revocation());
      await bench.has(/^warn Revocation dropped: There is no revocation cert/);
    });
  }
});

Deno.test("the end of the agent ends the action and drops what waits", async () => {
  await using bench = await RevocationBench.open();
  await bench.deliver({ slow: "sleep 100", after: "echo ran" });
  bench.revocations.submit(revocation(1));
  bench.revocations.submit(revocation(2));
  await bench.has(/^info Executing revocation action slow$/);
  bench.stop.abort();
  await bench.has(/^error .* slow was ended because the agent stops$/);
  await bench.has(
    /^warn Revocation dropped because the agent stops: .*event\.2/,
  );
  assert.equal(bench.revocations.submit(revocation(3)), false);
  assert.equal(bench.count(/Executing/), 1);
  assert.deepEqual(await bench.messageFiles(), []);
});

Deno.test("disposal ends the action without the agent's signal", async () => {
  await using bench = await RevocationBench.open();
  await bench.deliver({ slow: "sleep 100" });
  bench.revocations.submit(revocation());
  await bench.has(/^info Executing revocation action slow$/);
  await bench.revocations[Symbol.asyncDispose]();
  assert.match(bench.lines.at(-1) ?? "", /slow was ended because the agent st/);
});
