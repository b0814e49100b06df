import assert from "node:assert/strict";
import {
  type ActionDirectories,
  deliveredNames,
  findAction,
} from "../../revocation/actions.ts";
import { RevocationError } from "../../revocation/error.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";
import { readFixture } from "./signing.ts";

function refused(wanted: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof RevocationError, String(error));
    assert.equal(error.problem, "action");
    assert.match(error.message, wanted);
    return true;
  };
}

Deno.test("deliveredNames() reads the given lists", async (t) => {
  await using directory = await temporaryDirectory();
  const given: readonly {
    readonly text: string;
    readonly actions: readonly string[];
  }[] = JSON.parse(await readFixture("action_lists.json"));
  for (const { text, actions } of given) {
    await t.step(JSON.stringify(text), async () => {
      await Deno.writeTextFile(`${directory.path}/action_list`, text);
      const want = actions.some((action) => action.includes("(must"))
        ? text.trim().split(/,\s*/)
        : actions;
      assert.deepEqual(await deliveredNames(directory.path), want);
    });
  }
});

Deno.test("deliveredNames() takes newlines and blanks, too", async () => {
  await using directory = await temporaryDirectory();
  await Deno.writeTextFile(`${directory.path}/action_list`, "a\nb\r\n c d\n");
  assert.deepEqual(await deliveredNames(directory.path), ["a", "b", "c", "d"]);
});

Deno.test("deliveredNames() gives none without a payload or a list", async () => {
  await using directory = await temporaryDirectory();
  assert.deepEqual(await deliveredNames(directory.path), []);
  assert.deepEqual(await deliveredNames(`${directory.path}/none`), []);
});

Deno.test("deliveredNames() refuses what is no list", async (t) => {
  const path = (directory: string): string => `${directory}/action_list`;
  const rows: readonly (readonly [
    string,
    (directory: string) => Promise<void>,
    RegExp,
  ])[] = [
    [
      "two commas",
      (d) => Deno.writeTextFile(path(d), "a,,b"),
      /no list of names/,
    ],
    ["an open bracket", (d) => Deno.writeTextFile(path(d), "[a"), /no list/],
    [
      "65,537 bytes",
      (d) => Deno.writeTextFile(path(d), "a".repeat(65_537)),
      /at most 65536 bytes$/,
    ],
    ["a directory", (d) => Deno.mkdir(path(d)), /no regular file/],
    ["a link", (d) => Deno.symlink("/etc/passwd", path(d)), /no regular file/],
  ];
  for (const [name, make, wanted] of rows) {
    await t.step(name, async () => {
      await using directory = await temporaryDirectory();
      await make(directory.path);
      await assert.rejects(deliveredNames(directory.path), refused(wanted));
    });
  }
});

/** Both directories, `both` in each of them. */
async function directories(
  base: string,
): Promise<{ readonly installed: string; readonly delivered: string }> {
  const [installed, delivered] = [`${base}/libexec`, `${base}/unzipped`];
  for (const directory of [installed, delivered]) {
    await Deno.mkdir(directory);
    await Deno.writeTextFile(`${directory}/both`, "");
  }
  await Deno.writeTextFile(`${installed}/own`, "");
  await Deno.writeTextFile(`${delivered}/theirs`, "");
  return { installed, delivered };
}

Deno.test("findAction() prefers the administrator's to the payload's", async (t) => {
  await using base = await temporaryDirectory();
  const { installed, delivered } = await directories(base.path);
  const rows: readonly (readonly [
    string,
    ActionDirectories,
    string | undefined,
  ])[] = [
    ["both", { installed, delivered }, `${installed}/both`],
    ["own", { installed, delivered }, `${installed}/own`],
    ["theirs", { installed, delivered }, `${delivered}/theirs`],
    ["both", { installed: undefined, delivered }, `${delivered}/both`],
    ["both", { installed, delivered: undefined }, `${installed}/both`],
    ["theirs", { installed, delivered: undefined }, undefined],
    ["theirs", { installed: undefined, delivered: undefined }, undefined],
  ];
  for (const [name, places, want] of rows) {
    await t.step(`${name} in ${JSON.stringify(places)}`, async () => {
      assert.equal(await findAction(name, places), want);
    });
  }
});

Deno.test("findAction() follows the administrator's links alone", async () => {
  await using base = await temporaryDirectory();
  const places = await directories(base.path);
  for (const directory of Object.values(places)) {
    await Deno.symlink("/bin/true", `${directory}/link`);
  }
  assert.equal(await findAction("link", places), `${places.installed}/link`);
  await assert.rejects(
    findAction("link", { ...places, installed: undefined }),
    refused(/unzipped\/link" is no regular file$/),
  );
});

Deno.test("findAction() refuses everything but plain names of files", async (t) => {
  await using base = await temporaryDirectory();
  const places = await directories(base.path);
  await Deno.mkdir(`${places.delivered}/directory`);
  await Deno.symlink("nowhere", `${places.delivered}/dangling`);
  const plain = /is refused: expected the name of a file without a directory$/;
  const rows: readonly (readonly [string, RegExp])[] = [
    ["../libexec/own", plain],
    ["/bin/true", plain],
    ["..", plain],
    [".", plain],
    ["./theirs", plain],
    ["directory/x", plain],
    ["", plain],
    ["a b", plain],
    ["a\nb", plain],
    ["a\0b", plain],
    ["ä", plain],
    ["a".repeat(256), plain],
    ["missing", /action missing is in none of ".*libexec", ".*unzipped"$/],
    ["theirs.py", /action theirs\.py is in none of/],
    ["directory", /unzipped\/directory" is no regular file$/],
    ["dangling", /unzipped\/dangling" is no regular file$/],
  ];
  for (const [name, wanted] of rows) {
    await t.step(JSON.stringify(name.slice(0, 20)), async () => {
      await assert.rejects(findAction(name, places), refused(wanted));
    });
  }
});
