import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type ListSlice,
  MeasurementList,
  type MeasurementListOptions,
} from "../../ima/measurement_list.ts";
import { temporaryDirectory } from "../support/temporary_directory.ts";

const FIXTURES = new URL("../fixtures/ima/", import.meta.url);

/** What contract section 7.1 says that a list of this content answers. */
function expected(
  content: string,
  fromEntry: number,
): { text: string; entry: number } {
  const lines = content.split(/(?<=\n)/);
  const total = content.split("\n").length - 1;
  const entry = fromEntry <= total ? fromEntry : 0;
  const text = lines.slice(entry).join("");
  return { text, entry };
}

/** What `list` answers, streamed or not. */
async function readAll(
  list: MeasurementList,
  from: number,
): Promise<{ text: string; entry: number } | undefined> {
  const slice = await list.read(from);
  return slice && { ...slice, text: await textOf(slice) };
}

async function textOf({ text }: ListSlice): Promise<string> {
  if (typeof text === "string") return text;
  return (await Array.fromAsync(text)).join("");
}

/** A list over a file of its own that tests may change. */
async function listOf(
  content: string | Uint8Array,
  options: MeasurementListOptions = {},
): Promise<
  AsyncDisposable & { readonly list: MeasurementList; readonly path: string }
> {
  const directory = await temporaryDirectory();
  const path = `${directory.path}/list`;
  await Deno.writeFile(
    path,
    typeof content === "string" ? new TextEncoder().encode(content) : content,
  );
  const list = await MeasurementList.open(path, options);
  return {
    list,
    path,
    async [Symbol.asyncDispose](): Promise<void> {
      list[Symbol.dispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

function append(path: string, text: string): Promise<void> {
  return Deno.writeTextFile(path, text, { append: true });
}

Deno.test("read() answers from any entry of a real list, in any order", async (t) => {
  for (const name of ["rust-keylime-826.ascii", "own-ng-sig-buf.ascii"]) {
    await t.step(name, async () => {
      const url = new URL(name, FIXTURES);
      const content = await Deno.readTextFile(url);
      const total = content.split("\n").length - 1;
      using list = await MeasurementList.open(url.pathname);
      assert.equal(list.problem, undefined);
      for (const n of [0, 1, total - 1, total, total + 1, 7, 40, 7, total, 0]) {
        assert.deepEqual(await readAll(list, n), expected(content, n));
      }
    });
  }
});

Deno.test("read() returns a last line without its newline, but does not count it", async () => {
  await using file = await listOf("a\nb");
  const { list, path } = file;
  assert.deepEqual(await readAll(list, 1), { text: "b", entry: 1 });
  assert.deepEqual(await readAll(list, 2), {
    text: "a\nb",
    entry: 0,
  });
  await append(path, "c\n");
  assert.deepEqual(await readAll(list, 1), {
    text: "bc\n",
    entry: 1,
  });
  assert.deepEqual(await readAll(list, 2), { text: "", entry: 2 });
});

Deno.test("read() answers like the model through appends, cuts and requests", async () => {
  const lines = fc.array(fc.constantFrom("a", "bc", "", "déf"), {
    maxLength: 6,
  })
    .map((words) => words.join("\n"));
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ append: lines }) },
    { weight: 1, arbitrary: fc.record({ keep: fc.nat({ max: 60 }) }) },
    { weight: 5, arbitrary: fc.record({ read: fc.nat({ max: 20 }) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      await using file = await listOf("");
      let content = "";
      for (const step of steps) {
        if ("append" in step) {
          content += step.append;
          await append(file.path, step.append);
        } else if ("keep" in step) {
          content = content.slice(0, step.keep);
          await Deno.truncate(
            file.path,
            new TextEncoder().encode(content).length,
          );
        } else {
          assert.deepEqual(
            await readAll(file.list, step.read),
            expected(content, step.read),
          );
        }
      }
    }),
    { numRuns: 150 },
  );
});

Deno.test("read() of an idle list does not look at its old entries again", async () => {
  const content = await Deno.readTextFile(
    new URL("rust-keylime-826.ascii", FIXTURES),
  );
  await using file = await listOf(content);
  const { list, path } = file;
  await readAll(list, 0);
  using writer = await Deno.open(path, { write: true });
  await writer.write(new Uint8Array(50_000).fill(0x78));
  const nothing = { text: "", entry: 826 };
  assert.deepEqual(await readAll(list, 826), nothing);
  assert.deepEqual(await readAll(list, 826), nothing);
  await append(path, "new\n");
  assert.deepEqual(await readAll(list, 826), { ...nothing, text: "new\n" });
  assert.deepEqual(await readAll(list, 827), { ...nothing, entry: 827 });
});

Deno.test("read() notices that a list was replaced by another of the same size", async () => {
  await using file = await listOf("one\ntwo\n");
  await readAll(file.list, 0);
  await Deno.writeTextFile(file.path, "a\nb\nc\nd\n");
  assert.deepEqual(await readAll(file.list, 2), expected("a\nb\nc\nd\n", 2));
});

Deno.test("read() answers many different positions, more than it remembers", async () => {
  const content = Array.from({ length: 100 }, (_, i) => `entry ${i}\n`).join(
    "",
  );
  await using file = await listOf(content);
  for (let i = 0; i < 200; i++) {
    const n = (i * 37) % 101;
    assert.deepEqual(await readAll(file.list, n), expected(content, n));
  }
});

Deno.test("read() carries lines longer than its buffer", async () => {
  const content = ["a", "x".repeat(100_000), "y".repeat(65_535), "z"]
    .map((line) => `${line}\n`).join("");
  await using file = await listOf(content);
  for (const n of [2, 1, 3, 4, 0]) {
    assert.deepEqual(await readAll(file.list, n), expected(content, n));
  }
});

Deno.test("read() keeps requests that run at the same time apart", async () => {
  const content = await Deno.readTextFile(
    new URL("rust-keylime-826.ascii", FIXTURES),
  );
  await using file = await listOf(content);
  const entries = [800, 0, 826, 400, 900, 1, 825];
  assert.deepEqual(
    await Promise.all(entries.map((n) => readAll(file.list, n))),
    entries.map((n) => expected(content, n)),
  );
});

Deno.test("read() replaces bytes that are no UTF-8 and says so once", async () => {
  const told: number[] = [];
  await using file = await listOf(
    Uint8Array.of(0x61, 0x0a, 0xff, 0x0a, 0xff, 0x0a, 0xef, 0xbb, 0xbf, 0x0a),
    { onInvalidUtf8: (from) => told.push(from) },
  );
  assert.deepEqual(await readAll(file.list, 1), {
    text: "\ufffd\n\ufffd\n\ufeff\n",
    entry: 1,
  });
  assert.deepEqual(told, [1]);
  assert.deepEqual(await readAll(file.list, 3), { text: "\ufeff\n", entry: 3 });
  assert.deepEqual(told, [1]);
});

/** 20,000 entries of different lengths, 2 MB. */
const LONG = Array.from(
  { length: 20_000 },
  (_, at) => `entry ${at} ${"x".repeat(at % 180)}\n`,
).join("");

Deno.test("read() streams a long list and answers others meanwhile", async () => {
  await using file = await listOf(LONG);
  const { list, path } = file;
  const slow = await Promise.all([0, 1, 2].map((n) => list.read(n)));
  assert.ok(slow.every((slice) => slice?.text instanceof ReadableStream));
  assert.deepEqual(await readAll(list, 19_999), expected(LONG, 19_999));
  await append(path, "new\n");
  assert.deepEqual(await readAll(list, 20_000), {
    text: "new\n",
    entry: 20_000,
  });
  const content = `${LONG}new\n`;
  for (const [n, slice] of slow.entries()) {
    assert.ok(slice);
    assert.equal(await textOf(slice) === expected(content, n).text, true);
  }
});

Deno.test("read() takes a cursor back from a stream that is cancelled", async () => {
  await using file = await listOf(LONG);
  for (let round = 0; round < 12; round++) {
    const slice = await file.list.read(round);
    assert.ok(slice?.text instanceof ReadableStream);
    const reader = slice.text.getReader();
    if (round % 2 === 0) await reader.read();
    if (round % 3 === 0) void reader.read();
    await reader.cancel();
  }
  assert.deepEqual(await readAll(file.list, 20_000), {
    text: "",
    entry: 20_000,
  });
});

Deno.test("read() lets those wait who find every cursor in a stream", async () => {
  await using file = await listOf(LONG);
  const streams = await Promise.all([0, 0, 0, 0].map((n) => file.list.read(n)));
  const waiting = [7, 20_000, 30_000].map((n) => readAll(file.list, n));
  for (const slice of streams) assert.ok(slice && await textOf(slice) === LONG);
  const [seven, last, beyond] = await Promise.all(waiting);
  assert.deepEqual(last, { text: "", entry: 20_000 });
  assert.equal(seven?.text === expected(LONG, 7).text, true);
  assert.equal(beyond?.text === LONG, true);
});

Deno.test("read() ends a stream with the list's name when the list fails", async () => {
  await using file = await listOf(LONG);
  const slice = await file.list.read(0);
  assert.ok(slice?.text instanceof ReadableStream);
  file.list[Symbol.dispose]();
  await assert.rejects(textOf(slice), {
    message: `Cannot read the IMA measurement list "${file.path}"`,
  });
});

/** A kernel's list beside its counter, as far as files can play them. */
async function kernelList(): Promise<
  AsyncDisposable & {
    readonly list: MeasurementList;
    append(...lines: readonly string[]): Promise<void>;
    replace(...lines: readonly string[]): Promise<void>;
  }
> {
  const directory = await temporaryDirectory();
  const path = `${directory.path}/list`;
  const counter = `${directory.path}/runtime_measurements_count`;
  let count = 0;
  const write = async (
    lines: readonly string[],
    add: boolean,
  ): Promise<void> => {
    const text = lines.map((line) => `${line}\n`).join("");
    await Deno.writeTextFile(path, text, { append: add });
    count = lines.length + (add ? count : 0);
    await Deno.writeTextFile(counter, `${count}\n`);
  };
  await write([], false);
  const list = await MeasurementList.open(path, {
    isKernelList: () => Promise.resolve(true),
  });
  return {
    list,
    append: (...lines) => write(lines, true),
    replace: (...lines) => write(lines, false),
    async [Symbol.asyncDispose](): Promise<void> {
      list[Symbol.dispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

Deno.test("read() of a kernel's list reads on from where it was, without a seek", async () => {
  await using kernel = await kernelList();
  await kernel.append("a", "b");
  assert.deepEqual(await readAll(kernel.list, 0), { text: "a\nb\n", entry: 0 });
  // Other bytes of the same length: only who goes back would see them.
  await kernel.replace("c", "d");
  await kernel.append("e");
  assert.deepEqual(await readAll(kernel.list, 2), { text: "e\n", entry: 2 });
  assert.deepEqual(await readAll(kernel.list, 0), {
    text: "a\nb\ne\n",
    entry: 0,
  });
  assert.deepEqual(await readAll(kernel.list, 4), {
    text: "a\nb\ne\n",
    entry: 0,
  });
});

Deno.test("read() of a kernel's list loses nothing of what a failure interrupted", async () => {
  await using kernel = await kernelList();
  await kernel.append("a", "b");
  assert.deepEqual(await kernel.list.read(0), { text: "a\nb\n", entry: 0 });
  await kernel.append("c", "d");
  const { read } = Deno.FsFile.prototype;
  try {
    // As the kernel does it when memory is short: after some of the entries.
    let reads = 0;
    Deno.FsFile.prototype.read = function (buffer): Promise<number | null> {
      if (++reads > 1) return Promise.reject(new Error("Out of memory"));
      return read.call(this, buffer);
    };
    await assert.rejects(kernel.list.read(2), /^Error: Cannot read the IMA/);
  } finally {
    Deno.FsFile.prototype.read = read;
  }
  assert.deepEqual(await kernel.list.read(2), { text: "c\nd\n", entry: 2 });
  await kernel.append("e");
  assert.deepEqual(await kernel.list.read(4), { text: "e\n", entry: 4 });
});

Deno.test("read() of a kernel's list that lost entries starts again", async () => {
  await using kernel = await kernelList();
  await kernel.append("a", "b", "c");
  await readAll(kernel.list, 0);
  await kernel.replace("d");
  assert.deepEqual(await readAll(kernel.list, 3), { text: "d\n", entry: 0 });
  assert.deepEqual(await readAll(kernel.list, 1), { text: "", entry: 1 });
});

Deno.test("read() reads a kernel file, whose size is said to be 0", async () => {
  const path = "/proc/filesystems";
  assert.equal((await Deno.stat(path)).size, 0);
  const content = await Deno.readTextFile(path);
  const total = content.split("\n").length - 1;
  using list = await MeasurementList.open(path);
  for (const n of [0, total, 3, total, total + 5]) {
    assert.deepEqual(await readAll(list, n), expected(content, n));
  }
});

Deno.test("read() finds a list that appears after the start", async () => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/later`;
  using list = await MeasurementList.open(path);
  assert.match(list.problem?.message ?? "", /^Cannot open the log ".*later"$/);
  assert.equal(await readAll(list, 0), undefined);
  await Deno.writeTextFile(path, "a\n");
  assert.deepEqual(
    await Promise.all([readAll(list, 0), readAll(list, 1)]),
    [expected("a\n", 0), expected("a\n", 1)],
  );
  assert.equal(list.problem, undefined);
});

Deno.test("read() keeps its descriptor when the path goes away", async () => {
  await using file = await listOf("a\n");
  await Deno.remove(file.path);
  assert.deepEqual(await readAll(file.list, 0), expected("a\n", 0));
});

Deno.test("read() names the list that it cannot read, and serves the next request", async () => {
  await using directory = await temporaryDirectory();
  using list = await MeasurementList.open(directory.path);
  for (let i = 0; i < 2; i++) {
    await assert.rejects(list.read(0), {
      message: `Cannot read the IMA measurement list "${directory.path}"`,
    });
  }
});

Deno.test("read() refuses what is no entry number", async () => {
  await using file = await listOf("a\n");
  for (const n of [-1, 0.5, NaN]) {
    await assert.rejects(file.list.read(n), RangeError);
  }
});
