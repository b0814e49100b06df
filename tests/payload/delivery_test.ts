import assert from "node:assert/strict";
import { waitFor } from "../lab/wait.ts";
import { CONFIG, deliveryKit } from "./delivery_kit.ts";
import { HOSTILE } from "./hostile.ts";
import { NO_MOUNTS } from "./mount_namespace.ts";
import { KEY, sealed } from "./sealing.ts";
import { mountForTest } from "./test_mount.ts";
import { zip, type ZipEntry } from "./zip_file.ts";

const KEY_FILE = `600 ${new TextDecoder().decode(KEY)}`;

function payloadTest(
  name: string,
  fn: (t: Deno.TestContext) => Promise<void>,
): void {
  Deno.test({
    name: NO_MOUNTS === undefined ? name : `${name} (left out: ${NO_MOUNTS})`,
    ignore: NO_MOUNTS !== undefined,
    fn,
  });
}

/** An archive with `script` as autorun.sh. */
function withScript(
  script: string,
  ...others: readonly ZipEntry[]
): Uint8Array<ArrayBuffer> {
  return zip([{ name: "autorun.sh", content: script }, ...others]);
}

/** The tree of a mount without the payload itself, which is an archive. */
function withoutArchive(
  tree: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tree).filter(([path]) =>
      !path.endsWith("decrypted_payload")
    ),
  );
}

payloadTest(
  "a delivery puts key, payload and archive in place and runs the script",
  async () => {
    await using kit = await deliveryKit();
    const script =
      "#!/bin/sh\necho here: $PWD; echo oops >&2; umask 077; pwd > ran\n";
    await kit.deliver(withScript(
      script,
      { name: "d/e/f.txt", content: "f", mode: 0o100444 },
      { name: "action_list", content: "one, two" },
      { name: "one", content: "1" },
      { name: "two", content: "2", mode: 0o100644 },
      { name: "three", content: "3" },
    ));
    assert.deepEqual(withoutArchive(await kit.mount.tree()), {
      "/unzipped": "700",
      "/unzipped/derived_tci_key": KEY_FILE,
      "/unzipped/autorun.sh": `700 ${script}`,
      "/unzipped/d": "700",
      "/unzipped/d/e": "700",
      "/unzipped/d/e/f.txt": "400 f",
      "/unzipped/action_list": "600 one, two",
      "/unzipped/one": "700 1",
      "/unzipped/two": "700 2",
      "/unzipped/three": "600 3",
      "/unzipped/ran": `600 ${kit.mount.path}/unzipped\n`,
    });
    assert.equal(kit.deliveries(), 2);
    const told = kit.lines.filter((line) => !line.startsWith("debug"));
    assert.deepEqual(told.slice(0, 2), [
      `info The payload is in ${kit.mount.path}/unzipped`,
      'info Running payload script "autorun.sh"',
    ]);
    assert.ok(told.includes('warn Payload script stderr: "oops"'));
    assert.ok(told.includes(
      `info Payload script stdout: "here: ${kit.mount.path}/unzipped"`,
    ));
    assert.match(
      told.at(-1) ?? "",
      /^info Payload script "autorun\.sh" exited with status 0 after 0\.\d s$/,
    );
  },
);

payloadTest("a delivery reports a script for what it was", async (t) => {
  const rows: {
    name: string;
    script: string;
    want: RegExp;
    limitMs?: number;
  }[] = [
    {
      name: "status 3",
      script: "#!/bin/sh\nexit 3\n",
      want: /^warn Payload script "autorun.sh" exited with status 3 after/,
    },
    {
      name: "without #!",
      script: "test -f autorun.sh && exit 4\n",
      want: /exited with status 4/,
    },
    { name: "empty", script: "", want: /^info .* exited with status 0/ },
    {
      name: "one that kills itself",
      script: "#!/bin/sh\nkill -KILL $$\n",
      want: /^warn .* was ended by signal SIGKILL/,
    },
    {
      name: "another interpreter",
      script: "#!/usr/bin/env python3\nimport sys\nsys.exit(6)\n",
      want: /exited with status 6/,
    },
    {
      name: "no interpreter",
      script: "#!/no/such/interpreter\n",
      want: /^warn .* could not be started: /,
    },
    {
      name: "one that never ends",
      script: "#!/bin/sh\nexec sleep 1000\n",
      limitMs: 300,
      want:
        /^warn .* exceeded its time limit of 0\.3 s \(option "payload_script_timeout"\)/,
    },
    {
      name: "one that forks",
      script: "#!/bin/sh\nsleep 1000 & sleep 1000 &\nexit 0\n",
      want: /^info .* exited with status 0/,
    },
    {
      name: "one that forks for ever",
      script: "#!/bin/sh\nwhile :; do sleep 1000 & sleep 0.01; done\n",
      limitMs: 300,
      want: /^warn .* exceeded its time limit/,
    },
  ];
  for (const { name, script, want, limitMs = 60_000 } of rows) {
    await t.step(name, async () => {
      await using kit = await deliveryKit({ scriptTimeLimitMs: limitMs });
      await kit.deliver(withScript(script));
      const outcome = kit.lines.findLast((line) =>
        line.includes('script "autorun.sh"')
      );
      assert.match(outcome ?? "", want);
      assert.doesNotMatch(await processesIn(kit.mount.path), /./);
    });
  }
});

/** The processes whose working directory is below `path`. */
async function processesIn(path: string): Promise<string> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    const cwd = await Deno.readLink(`/proc/${name}/cwd`).catch(() => "");
    if (cwd.startsWith(path)) found.push(name);
  }
  return found.join(" ");
}

payloadTest(
  "a script that writes 1 GB leaves memory and log small",
  async () => {
    await using kit = await deliveryKit();
    const before = Deno.memoryUsage().rss;
    await kit.deliver(
      withScript("#!/bin/sh\nyes | head -c 1000000000\nexit 9\n"),
    );
    const growth = (Deno.memoryUsage().rss - before) / 2 ** 20;
    assert.ok(growth < 64, `resident memory grew by ${growth} MiB`);
    assert.ok(kit.lines.length < 11_000);
    assert.ok(
      kit.lines.some((line) => line.includes("[further output dropped]")),
    );
    assert.match(kit.lines.at(-1) ?? "", /exited with status 9/);
  },
);

payloadTest("a delivery replaces all of the one before it", async () => {
  await using kit = await deliveryKit();
  await kit.deliver(
    withScript("touch first.ran\n", { name: "old", content: "o" }),
  );
  await kit.deliver(
    withScript("touch second.ran\n", { name: "new", content: "n" }),
  );
  assert.deepEqual(Object.keys(await kit.mount.tree()).sort(), [
    "/unzipped",
    "/unzipped/autorun.sh",
    "/unzipped/decrypted_payload",
    "/unzipped/derived_tci_key",
    "/unzipped/new",
    "/unzipped/second.ran",
  ]);
});

payloadTest("a delivery ends the script of the one before it", async () => {
  await using kit = await deliveryKit();
  kit.delivery.enqueue(sealed(withScript("echo started; exec sleep 1000\n")));
  await waitFor(
    "the first script",
    () => kit.lines.some((line) => line.includes("started")),
  );
  await kit.deliver(withScript("echo second\n"));
  const ends = kit.lines.filter((line) =>
    /script "autorun\.sh" \w+ed /.test(line) || line.includes("was ended")
  );
  assert.match(
    ends[0] ?? "",
    /was ended by the agent, which stops or got another payload/,
  );
  assert.match(ends[1] ?? "", /exited with status 0/);
});

payloadTest(
  "a delivery that does not fit beside the old one takes its place",
  async () => {
    await using kit = await deliveryKit({}, { size: "256k" });
    const big = (name: string): Uint8Array<ArrayBuffer> => {
      const content = crypto.getRandomValues(new Uint8Array(60_000));
      return zip([{ name, content }]);
    };
    await kit.deliver(big("first"));
    await kit.deliver(big("second"));
    const tree = Object.keys(await kit.mount.tree());
    assert.ok(tree.includes("/unzipped/second"), kit.lines.join("\n"));
    assert.ok(!tree.includes("/unzipped/first"));
  },
);

payloadTest("only the newest payload that waits is delivered", async () => {
  await using kit = await deliveryKit();
  for (const name of ["first", "second", "third"]) {
    kit.delivery.enqueue(sealed(zip([{ name }])));
  }
  await kit.delivery.idle();
  assert.ok("/unzipped/third" in await kit.mount.tree());
  assert.equal(kit.deliveries(), 2);
  assert.ok(
    kit.lines.includes("info A payload that waited is replaced by a newer one"),
  );
});

payloadTest(
  "a payload that is no zip is kept as a file, and nothing runs",
  async () => {
    await using kit = await deliveryKit({ fileName: "autorun.sh" });
    await kit.deliver("#!/bin/sh\ntouch ran\n");
    assert.deepEqual(await kit.mount.tree(), {
      "/unzipped": "700",
      "/unzipped/derived_tci_key": KEY_FILE,
      "/unzipped/autorun.sh": "600 #!/bin/sh\ntouch ran\n",
    });
    assert.ok(kit.lines.includes(
      'warn The payload is no zip file; it is kept as "autorun.sh" and no script is run',
    ));
    assert.equal(kit.deliveries(), 1);
  },
);

payloadTest(
  "extract_payload_zip = false keeps a zip, and runs the payload if it is the script",
  async (t) => {
    await t.step("a zip", async () => {
      await using kit = await deliveryKit({ archives: "keep" });
      await kit.deliver(withScript("touch ran\n"));
      assert.deepEqual(Object.keys(await kit.mount.tree()).sort(), [
        "/unzipped",
        "/unzipped/decrypted_payload",
        "/unzipped/derived_tci_key",
      ]);
      assert.ok(
        kit.lines.includes(
          'info The payload has no script "autorun.sh" to run',
        ),
      );
    });
    await t.step("a script", async () => {
      await using kit = await deliveryKit({
        archives: "keep",
        fileName: "autorun.sh",
      });
      await kit.deliver("touch ran\n");
      assert.ok("/unzipped/ran" in await kit.mount.tree());
    });
  },
);

payloadTest(
  "an archive without the script is delivered and told so",
  async (t) => {
    const rows = [
      { name: "no such file", archive: zip([]), script: "autorun.sh" },
      {
        name: "a directory",
        archive: zip([{ name: "run/", mode: 0o040700 }]),
        script: "run",
      },
      { name: "elsewhere", archive: zip([]), script: "/bin/true" },
      { name: "above", archive: zip([]), script: "../../../bin/true" },
    ];
    for (const { name, archive, script } of rows) {
      await t.step(name, async () => {
        await using kit = await deliveryKit({ script });
        await kit.deliver(archive);
        assert.equal(
          kit.lines.at(-1),
          `info The payload has no script "${script}" to run`,
        );
        assert.equal(kit.deliveries(), 1);
      });
    }
    await t.step("none is wanted", async () => {
      await using kit = await deliveryKit({ script: undefined });
      await kit.deliver(withScript("touch ran\n"));
      assert.ok(!("/unzipped/ran" in await kit.mount.tree()));
    });
  },
);

payloadTest(
  "an action list that is odd makes nothing else executable",
  async (t) => {
    const rows = [
      ["a\nb", "700 700"],
      ["a b", "700 700"],
      [" [a , b,] ", "700 700"],
      ["'a', b", "600 700"],
      ["a,,b", "600 600"],
      ["missing, a", "700 600"],
      ["../a, /etc/passwd, d, b", "600 700"],
      ["", "600 600"],
      ["x".repeat(70_000), "600 600"],
    ] as const;
    for (const [content, want] of rows) {
      await t.step(JSON.stringify(content.slice(0, 30)), async () => {
        await using kit = await deliveryKit();
        await kit.deliver(zip([
          { name: "action_list", content },
          { name: "a" },
          { name: "b" },
          { name: "d/", mode: 0o040700 },
        ]));
        const tree = await kit.mount.tree();
        assert.equal(
          `${tree["/unzipped/a"]}${tree["/unzipped/b"]}`,
          `${want} `,
        );
      });
    }
  },
);

payloadTest(
  "no hostile payload changes anything in the secure mount",
  async (t) => {
    await using kit = await deliveryKit();
    await kit.deliver(
      withScript("touch ran\n", { name: "kept", content: "k" }),
    );
    const before = await kit.mount.tree();
    const deliveries = kit.deliveries();
    const refuses = async (
      name: string,
      payload: ReturnType<typeof sealed>,
      reason: RegExp,
    ): Promise<void> => {
      await t.step(name, async () => {
        kit.lines.length = 0;
        kit.delivery.enqueue(payload);
        await kit.delivery.idle();
        assert.deepEqual(await kit.mount.tree(), before);
        assert.equal(kit.deliveries(), deliveries);
        const last = kit.lines.at(-1) ?? "";
        assert.match(last, /^error The payload is refused: /);
        assert.match(last, reason);
      });
    };
    for (const { name, payload, reason } of HOSTILE) {
      await refuses(name, sealed(payload), reason);
    }
    const good = sealed(zip([{ name: "x" }]));
    await refuses("another key", {
      ...good,
      key: sealed("", KEY.toReversed()).key,
    }, /does not decrypt with the key/);
    await refuses("31 bytes", {
      ...sealed(""),
      payload: good.payload.slice(0, 31),
    }, /has 31 bytes, fewer than the 32/);
    await refuses("an altered tag", {
      ...sealed(""),
      payload: good.payload.with(-1, 1 ^ (good.payload.at(-1) ?? 0)),
    }, /does not decrypt/);
    await refuses(
      "a plain file that does not fit",
      sealed(new Uint8Array(1_048_577)),
      /takes \d+ bytes and .* has room for \d+; raise option "secure_size"/,
    );
  },
);

payloadTest("options that name no two files change nothing", async (t) => {
  for (
    const [keyName, fileName] of [["", "f"], ["k", ""], ["x", "x"]] as const
  ) {
    await t.step(`"${keyName}" and "${fileName}"`, async () => {
      await using kit = await deliveryKit({ keyName, fileName });
      await Deno.mkdir(`${kit.mount.path}/unzipped`, { mode: 0o700 });
      await kit.deliver(zip([]));
      assert.deepEqual(await kit.mount.tree(), { "/unzipped": "700" });
      assert.match(kit.lines.at(-1) ?? "", /^error .* must name two files/);
    });
  }
});

payloadTest("a mount that is no longer fit gets no secret", async (t) => {
  await t.step("unmounted", async () => {
    await using kit = await deliveryKit();
    await new Deno.Command("umount", { args: [kit.mount.path] }).output();
    await kit.deliver(zip([]));
    assert.match(
      kit.lines.at(-1) ?? "",
      /^error The payload is refused: .* is not mounted$/,
    );
    assert.deepEqual(await kit.mount.tree(), {});
  });
  await t.step("opened to others", async () => {
    await using kit = await deliveryKit();
    await Deno.chmod(kit.mount.path, 0o755);
    await kit.deliver(zip([]));
    assert.match(
      kit.lines.at(-1) ?? "",
      /has mode 0755, which lets other users in/,
    );
    assert.deepEqual(await kit.mount.tree(), {});
  });
  await t.step("given away", async () => {
    await using kit = await deliveryKit();
    await Deno.chown(kit.mount.path, 65534, 65534);
    await kit.deliver(zip([]));
    assert.match(kit.lines.at(-1) ?? "", /belongs to user 65534, not to 0/);
    assert.deepEqual(await kit.mount.tree(), {});
  });
});

payloadTest(
  "without a mount payloads are refused with its reason, told at the start and each time",
  async () => {
    const place = { kind: "unavailable", reason: "there is no tmpfs" } as const;
    await using kit = await deliveryKit({}, { place });
    assert.deepEqual(kit.lines, [
      "warn Payloads will be refused, attestation goes on: there is no tmpfs",
    ]);
    await kit.deliver(zip([]));
    assert.equal(
      kit.lines.at(-1),
      "error The payload is refused: there is no tmpfs",
    );
  },
);

payloadTest(
  "without mTLS payloads are refused in upstream's words",
  async () => {
    await using kit = await deliveryKit({ deployment: "refused" });
    await kit.deliver(withScript("touch ran\n"));
    for (const line of [kit.lines[0], kit.lines.at(-1)]) {
      assert.match(line ?? "", /^warn .*payloads cannot be deployed$/);
    }
    assert.deepEqual(await kit.mount.tree(), {});
    assert.equal(kit.deliveries(), 0);
  },
);

payloadTest("what is told of a delivery fails without harm", async () => {
  await using mount = await mountForTest();
  const { PayloadDelivery } = await import("../../payload/delivery.ts");
  const lines: string[] = [];
  const keep = (line: string): void => void lines.push(line);
  await using delivery = await PayloadDelivery.open({
    config: CONFIG,
    place: mount.place,
    onDelivered: () => Promise.reject(new Error("no certificate")),
    log: { error: keep, warn: keep, info: keep, debug: keep, trace: keep },
  });
  delivery.enqueue(sealed(withScript("touch ran\n")));
  await delivery.idle();
  assert.ok("/unzipped/ran" in await mount.tree());
  assert.ok(lines.includes("After the delivery of a payload: no certificate"));
});

payloadTest("disposal ends the script and forgets what waits", async () => {
  const kit = await deliveryKit();
  kit.delivery.enqueue(
    sealed(withScript("echo started; sleep 1000 & sleep 1000\n")),
  );
  await waitFor(
    "the script",
    () => kit.lines.some((line) => line.includes("started")),
  );
  await kit.delivery[Symbol.asyncDispose]();
  assert.match(kit.lines.at(-1) ?? "", /was ended by the agent, which stops/);
  assert.equal(await processesIn(kit.mount.path), "");
  await kit.mount[Symbol.asyncDispose]();
});
