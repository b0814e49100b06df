import assert from "node:assert/strict";
import {
  deviceOf,
  mountsAt,
  parseMountTable,
} from "../../payload/mount_table.ts";

Deno.test("parseMountTable() reads what the kernel writes", () => {
  const text = [
    "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue",
    "40 36 0:45 / /var/lib/keylime/secure rw,nosuid shared:7 master:2 - tmpfs tmpfs rw,size=1024k,mode=700,noswap",
    "41 36 0:46 / /a\\040b\\134c\\011d rw - tmpfs no-options-follow",
    "42 36 0:47 / /dash rw - - tmpfs rw",
    "nonsense",
    "43 36 0:48 / /cut rw shared:1",
    "",
  ].join("\n");
  assert.deepEqual(parseMountTable(text), [
    {
      point: "/mnt2",
      device: "98:0",
      type: "ext3",
      options: ["rw", "errors=continue"],
    },
    {
      point: "/var/lib/keylime/secure",
      device: "0:45",
      type: "tmpfs",
      options: ["rw", "size=1024k", "mode=700", "noswap"],
    },
    { point: "/a b\\c\td", device: "0:46", type: "tmpfs", options: [""] },
    { point: "/dash", device: "0:47", type: "-", options: ["rw"] },
  ]);
});

Deno.test("deviceOf() says what the mount table says", async () => {
  const [proc] = await mountsAt("/proc");
  assert.equal(proc?.type, "proc");
  assert.equal(deviceOf((await Deno.stat("/proc")).dev), proc?.device);
  // glibc's makedev(0x12345, 0x6789a)
  assert.equal(deviceOf(0x12000678_3459a), "74565:424090");
  assert.equal(deviceOf(0x801), "8:1");
});

Deno.test("mountsAt() finds only what is mounted at that very path", async () => {
  assert.deepEqual(await mountsAt("/proc/"), []);
  assert.deepEqual(await mountsAt("/pro"), []);
});
