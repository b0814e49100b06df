import assert from "node:assert/strict";
import { systemFiles } from "../../config/files.ts";
import { configRoot } from "./root.ts";

Deno.test("systemFiles().read() tells files, others and nothing apart", async () => {
  await using root = await configRoot();
  await root.write("/a/open", "text", 0o644);
  await root.write("/a/closed", "text", 0o640);
  await root.link("open", "/a/link");
  await root.link("/dev/null", "/a/device");
  const files = systemFiles(root.path);
  const bytes = new TextEncoder().encode("text");

  assert.deepEqual(await files.read("/a/open"), {
    kind: "file",
    bytes,
    isWorldReadable: true,
  });
  assert.deepEqual(await files.read("/a/closed"), {
    kind: "file",
    bytes,
    isWorldReadable: false,
  });
  assert.equal((await files.read("/a/link")).kind, "file");
  assert.deepEqual(await files.read("/a/device"), {
    kind: "other",
    isDirectory: false,
  });
  assert.deepEqual(await files.read("/a"), {
    kind: "other",
    isDirectory: true,
  });
  assert.deepEqual(await files.read("/a/missing"), { kind: "absent" });
});

Deno.test("systemFiles().list() gives names, or undefined for no directory", async () => {
  await using root = await configRoot({ "/a/.hidden": "", "/a/b": "" });
  const files = systemFiles(root.path);
  assert.deepEqual((await files.list("/a"))?.toSorted(), [".hidden", "b"]);
  assert.equal(await files.list("/missing"), undefined);
  await assert.rejects(files.list("/a/b"));
});

Deno.test("systemFiles().directory() resolves links inside its root", async () => {
  await using root = await configRoot({ "/real/dir/file": "" });
  await root.link("../real/dir", "/links/dir");
  const files = systemFiles(root.path);
  assert.equal(await files.directory("/links/dir"), "/real/dir");
  assert.equal(await files.directory("/real/dir/file"), undefined);
  assert.equal(await files.directory("/missing"), undefined);
});

Deno.test("systemFiles() without a root sees the machine", async () => {
  await using root = await configRoot({ "/file": "text" });
  const files = systemFiles();
  assert.equal((await files.read(`${root.path}/file`)).kind, "file");
  assert.equal(
    await files.directory(root.path),
    await Deno.realPath(root.path),
  );
});
