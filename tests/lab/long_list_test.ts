import assert from "node:assert/strict";
import { Lab } from "./lab.ts";
import { writeList } from "./long_list.ts";
import { memory } from "./process_figures.ts";
import { trustedClient } from "./trusted_client.ts";

const ENTRIES = 1_000_000;
const MIB = 2 ** 20;

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
  const size = await writeList(path, ENTRIES);
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
