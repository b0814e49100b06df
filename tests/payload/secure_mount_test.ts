import assert from "node:assert/strict";
import type { SecureMountOptions } from "../../payload/secure_mount.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";
import { inMountNamespace, mountTest } from "./mount_namespace.ts";
import type { MountReport } from "./mount_probe.ts";

const ROOT = { uid: 0, gid: 0 };
const NOBODY = { uid: 65534, gid: 65534 };

/** Opens `secure` in a fresh directory after the shell commands `prepare`. */
async function open(
  prepare: string,
  changes: Partial<SecureMountOptions> = {},
): Promise<MountReport & { readonly left: readonly string[] }> {
  await using directory = await temporaryDirectory();
  const options: SecureMountOptions = {
    path: `${directory.path}/secure`,
    size: "1m",
    owner: ROOT,
    uid: 0,
    ...changes,
  };
  const { stdout, stderr } = await inMountNamespace({
    prepare,
    module: "./mount_probe.ts",
    args: [JSON.stringify(options)],
    directory: directory.path,
  });
  assert.ok(stdout !== "", stderr);
  const report: MountReport = JSON.parse(stdout);
  const left = (await Array.fromAsync(Deno.readDir(directory.path)))
    .map(({ name }) => name);
  return { ...report, left };
}

mountTest(
  "openSecureMount() mounts a tmpfs where root finds none",
  async () => {
    const report = await open("");
    assert.equal(report.kind, "ready", report.reason);
    assert.equal(report.status, "700 0:0");
    assert.equal(report.room, 1_048_576);
    assert.match(report.log[0] ?? "", /^info Directory ".*\/secure" created$/);
    assert.match(
      report.options ?? "",
      / \/ \S+\/secure rw,nosuid,nodev\S* (\S+ )*- tmpfs tmpfs rw,size=1024k,mode=700/,
    );
  },
);

mountTest(
  "openSecureMount() gives a new mount to whom the agent becomes",
  async () => {
    const report = await open("mkdir secure; chmod 755 secure", {
      owner: NOBODY,
    });
    assert.equal(report.kind, "ready", report.reason);
    assert.equal(report.status, "700 65534:65534");
    assert.deepEqual(report.log, []);
  },
);

mountTest(
  "openSecureMount() takes a tmpfs that is already there",
  async (t) => {
    const mount = "mkdir secure; mount -t tmpfs -o";
    await t.step("as it is, when it is right", async () => {
      const report = await open(
        `${mount} mode=0700,size=2m,uid=65534,gid=65534 tmpfs secure`,
        { owner: NOBODY, uid: 65534 },
      );
      assert.equal(report.kind, "ready", report.reason);
      assert.equal(report.room, 2 * 1_048_576);
      assert.deepEqual(report.log, []);
    });
    await t.step("and makes it the owner's alone", async () => {
      const report = await open(`${mount} mode=1777 tmpfs secure`, {
        owner: NOBODY,
      });
      assert.equal(report.kind, "ready", report.reason);
      assert.equal(report.status, "700 65534:65534");
      assert.match(
        report.log[0] ?? "",
        /^warn .* had mode 1777; it is 0700 now/,
      );
    });
    await t.step("of two on top of each other, the upper", async () => {
      const report = await open(
        `${mount} size=4m,mode=0700 tmpfs secure; mount -t tmpfs -o size=8m,mode=0700 tmpfs secure`,
      );
      assert.equal(report.kind, "ready", report.reason);
      assert.equal(report.room, 8 * 1_048_576);
    });
    await t.step("in a directory with odd characters", async () => {
      await using directory = await temporaryDirectory();
      const path = `${directory.path}/a b\\c/secure`;
      await Deno.mkdir(`${directory.path}/a b\\c`);
      const options = { path, size: "1m", owner: ROOT, uid: 0 };
      const { stdout } = await inMountNamespace({
        module: "./mount_probe.ts",
        args: [JSON.stringify(options)],
        directory: directory.path,
      });
      const report: MountReport = JSON.parse(stdout);
      assert.equal(report.kind, "ready", report.reason);
    });
  },
);

mountTest(
  "openSecureMount() refuses what is not fit for secrets",
  async (t) => {
    const tmpfs =
      "mkdir secure; mount -t tmpfs -o mode=0700,size=1m tmpfs secure";
    const rows: {
      name: string;
      prepare: string;
      want: RegExp;
      kind?: "thrown";
      changes?: Partial<SecureMountOptions>;
    }[] = [
      {
        name: "no mount and no root",
        prepare: "",
        changes: { owner: NOBODY, uid: 65534 },
        want: /secure is not mounted, and only root can mount it/,
      },
      {
        name: "a plain directory and no root",
        prepare: "mkdir -m 700 secure; chown 65534 secure",
        changes: { owner: NOBODY, uid: 65534 },
        want: /secure is not mounted/,
      },
      {
        name: "a mount elsewhere whose path only begins the same",
        prepare: "mkdir secure secure2; mount -t tmpfs tmpfs secure2",
        changes: { owner: NOBODY, uid: 65534 },
        want: /secure is not mounted/,
      },
      {
        name: "a mount of which the path is a part",
        prepare:
          "d=$PWD; mount -t tmpfs -o mode=0700 tmpfs $d; mkdir $d/secure; cd $d",
        changes: { owner: NOBODY, uid: 65534 },
        want: /secure is not mounted/,
      },
      {
        name: "a symbolic link to a tmpfs",
        prepare: "mkdir real; mount -t tmpfs tmpfs real; ln -s real secure",
        want: /secure is not a directory/,
      },
      {
        name: "a symbolic link that goes nowhere",
        prepare: "ln -s nowhere secure",
        want: /secure is not a directory/,
      },
      {
        name: "a file",
        prepare: "touch secure",
        want: /secure is not a directory/,
      },
      {
        name: "another file system",
        prepare: "mkdir secure; mount -t ramfs ramfs secure",
        kind: "thrown",
        want:
          /^Secure mount error: Secure storage location \S+\/secure already mounted on wrong file system type: ramfs/,
      },
      {
        name: "a directory of the disk, bound there",
        prepare: "mkdir secure disk; mount --bind disk secure",
        kind: "thrown",
        want: /already mounted on wrong file system type: (?!tmpfs)/,
      },
      {
        name: "a tmpfs hidden by another file system",
        prepare: `${tmpfs}; mount -t ramfs ramfs secure`,
        kind: "thrown",
        want: /already mounted on wrong file system type: ramfs/,
      },
      {
        name: "another user's tmpfs",
        prepare: tmpfs,
        changes: { owner: NOBODY, uid: 65534 },
        want: /belongs to user 0, not to 65534 .* option uid=/,
      },
      {
        name: "a parent that is missing",
        prepare: "",
        changes: { path: "/no/such/directory/secure" },
        want: /Cannot create directory "\/no\/such\/directory\/secure"/,
      },
      {
        name: "a size that the kernel does not take",
        prepare: "",
        changes: { size: "1m,mode=0777x" },
        want: /secure cannot be mounted: mount: /,
      },
    ];
    for (const { name, prepare, want, kind = "unavailable", changes } of rows) {
      await t.step(name, async () => {
        const report = await open(prepare, changes);
        assert.equal(report.kind, kind);
        assert.match(report.reason ?? "", want);
      });
    }
  },
);

mountTest(
  "an agent does not start on a wrong file system at its secure mount",
  async () => {
    await using directory = await temporaryDirectory();
    const { code, stderr } = await inMountNamespace({
      prepare: "mkdir secure; mount -t ramfs ramfs secure; " +
        "export KEYLIME_DIR=$PWD KEYLIME_AGENT_RUN_AS=",
      module: "../../main.ts",
      args: [],
      directory: directory.path,
    });
    assert.equal(code, 1, stderr);
    const path = `${directory.path}/secure`;
    assert.ok(
      stderr.includes(
        `ERROR keylime_agent > Secure mount error: Secure storage location ${path} ` +
          "already mounted on wrong file system type: ramfs",
      ),
      stderr,
    );
  },
);
