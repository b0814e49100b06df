import assert from "node:assert/strict";
import { deliveryKit, withScript } from "./delivery_kit.ts";
import { HOSTILE } from "./hostile.ts";
import { mountTest } from "./mount_namespace.ts";
import { KEY, sealed } from "./sealing.ts";
import { zip } from "./zip_file.ts";

mountTest(
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

mountTest("options that name no two files change nothing", async (t) => {
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

mountTest("a mount that is no longer fit gets no secret", async (t) => {
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

mountTest(
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

mountTest(
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
