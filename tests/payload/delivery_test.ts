import assert from "node:assert/strict";
import { CONFIG, deliveryKit, withScript } from "./delivery_kit.ts";
import { mountTest } from "./mount_namespace.ts";
import { KEY, sealed } from "./sealing.ts";
import { mountForTest } from "./test_mount.ts";
import { zip } from "./zip_file.ts";

const KEY_FILE = `600 ${new TextDecoder().decode(KEY)}`;

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

mountTest(
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

mountTest("a delivery replaces all of the one before it", async () => {
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

mountTest(
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

mountTest("only the newest payload that waits is delivered", async () => {
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

mountTest(
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

mountTest(
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

mountTest(
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

mountTest(
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

mountTest("what is told of a delivery fails without harm", async () => {
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
