import assert from "node:assert/strict";
import {
  readStateFile,
  writePrivateFile,
  writePublicFile,
} from "../../crypto/state_file.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";

function modeOf(path: string): number {
  return (Deno.statSync(path).mode ?? 0) & 0o7777;
}

function namesIn(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name);
}

Deno.test("writePrivateFile() makes a file that only its owner may read", async () => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/key.pem`;
  const umask = Deno.umask(0);
  try {
    await writePrivateFile(path, "secret");
  } finally {
    Deno.umask(umask);
  }
  assert.equal(modeOf(path), 0o600);
  assert.deepEqual(await readStateFile(path), {
    text: "secret",
    isExposed: false,
  });
});

Deno.test("writePrivateFile() replaces an exposed file by a private one", async () => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/key.pem`;
  await Deno.writeTextFile(path, "a longer old text", { mode: 0o644 });
  await writePrivateFile(path, Uint8Array.of(0x6e, 0x65, 0x77));
  assert.equal(await Deno.readTextFile(path), "new");
  assert.equal(modeOf(path), 0o600);
  assert.deepEqual(namesIn(directory.path), ["key.pem"]);
});

Deno.test("writePrivateFile() replaces a symbolic link, not its target", async () => {
  await using directory = await temporaryDirectory();
  const [path, target] = [`${directory.path}/link`, `${directory.path}/target`];
  await Deno.writeTextFile(target, "untouched");
  await Deno.symlink(target, path);
  await writePrivateFile(path, "new");
  assert.equal(await Deno.readTextFile(target), "untouched");
  assert.equal((await Deno.lstat(path)).isSymlink, false);
});

Deno.test("writePrivateFile() names the file and leaves nothing behind when it fails", async () => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/taken`;
  await Deno.mkdir(path);
  await assert.rejects(writePrivateFile(path, "x"), (error: Error) => {
    assert.ok(error.message.startsWith(`Cannot write "${path}"; `));
    assert.ok(error.cause instanceof Error);
    return true;
  });
  assert.deepEqual(namesIn(directory.path), ["taken"]);
});

Deno.test("writePrivateFile() says that the directory is missing", async () => {
  await using directory = await temporaryDirectory();
  await assert.rejects(
    writePrivateFile(`${directory.path}/none/key.pem`, "x"),
    /its directory must exist \(it does not exist\)/,
  );
});

Deno.test("writePublicFile() makes a file that everybody may read", async () => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/certificate.pem`;
  const umask = Deno.umask(0o022);
  try {
    await writePublicFile(path, "public");
  } finally {
    Deno.umask(umask);
  }
  assert.equal(modeOf(path), 0o644);
  assert.deepEqual(await readStateFile(path), {
    text: "public",
    isExposed: true,
  });
});

Deno.test("readStateFile() finds nothing where there is no file", async () => {
  await using directory = await temporaryDirectory();
  assert.equal(await readStateFile(`${directory.path}/none`), undefined);
});

Deno.test("readStateFile() names owner and mode of what it cannot read", async () => {
  await using directory = await temporaryDirectory();
  await Deno.chmod(directory.path, 0o750);
  await assert.rejects(readStateFile(directory.path), (error: Error) => {
    assert.ok(error.message.startsWith(`Cannot read "${directory.path}" (`));
    assert.match(error.message, /owner uid \d+, gid \d+, mode 0750/);
    return true;
  });
});
