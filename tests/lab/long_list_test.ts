import assert from "node:assert/strict";
import { Lab } from "./lab.ts";
import { trustedClient } from "./trusted_client.ts";

const ENTRIES = 1_000_000;
const MIB = 2 ** 20;

/** As many entries, of the length that a kernel's usually have. */
async function writeList(path: string): Promise<number> {
  using file = await Deno.open(path, { create: true, write: true });
  const hash = "a".repeat(40);
  let written = 0;
  for (let first = 0; first < ENTRIES; first += 10_000) {
    const lines = Array.from(
      { length: 10_000 },
      (_, at) =>
        `10 ${hash} ima-ng sha256:${hash}${"b".repeat(24)} ` +
        `/usr/lib/systemd/system-generators/program-${first + at}\n`,
    );
    const bytes = new TextEncoder().encode(lines.join(""));
    for (let sent = 0; sent < bytes.length;) {
      sent += await file.write(bytes.subarray(sent));
    }
    written += bytes.length;
  }
  return written;
}

/** A line of the process's status file in bytes. */
async function memory(pid: number, name: "VmRSS" | "VmHWM"): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1];
  return Number(kibibytes) * 1024;
}

/** How long the text of the list is that `body` holds, and how it ends. */
async function measureAnswer(
  body: ReadableStream<Uint8Array>,
): Promise<{ readonly newlines: number; readonly end: string }> {
  let newlines = 0;
  let end = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    newlines += (end.endsWith("\\") && text.startsWith("n") ? 1 : 0) +
      text.split("\\n").length - 1;
    end = (end + text).slice(-60);
  }
  return { newlines, end };
}

Deno.test("a first poll of a million entries is streamed, not built", async () => {
  await using lab = await Lab.start();
  await using machine = await lab.machine();
  const path = lab.directory.path("a-million-entries");
  const size = await writeList(path);
  await using agent = await machine.agent(lab.keylime, {
    options: { ima_ml_path: path },
  });
  await agent.start();
  using client = await trustedClient(lab.keylime, agent);
  const url = `https://127.0.0.1:${agent.port}/v2.6/quotes/integrity` +
    "?nonce=abc&mask=0x400&partial=1&ima_ml_entry=";
  const poll = (entry: number): Promise<Response> =>
    fetch(url + entry, { client });
  // What the first request of all costs is not the list's.
  await (await fetch(`https://127.0.0.1:${agent.port}/version`, { client }))
    .text();
  const { pid } = agent.process;
  const idle = await memory(pid, "VmRSS");
  const { body } = await poll(0);
  assert.ok(body);
  const { newlines, end } = await measureAnswer(body);
  assert.equal(newlines, ENTRIES);
  assert.match(end, /program-999999\\n","ima_measurement_list_entry":0}}$/);
  const growth = (await memory(pid, "VmHWM") - idle) / MIB;
  assert.ok(
    growth < 20,
    `a list of ${(size / MIB).toFixed()} MiB cost ${growth.toFixed(1)} MiB`,
  );
  // Whoever keeps up does not pay for the length.
  const steady = JSON.parse(await (await poll(ENTRIES)).text());
  assert.equal(steady.results.ima_measurement_list, "");
  assert.equal(steady.results.ima_measurement_list_entry, ENTRIES);
});
