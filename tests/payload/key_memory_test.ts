import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";
import { keyCase, TRANSPORT_KEY } from "./key_vectors.ts";

const PAGE = 4096;

const HOLDER = fileURLToPath(new URL("./key_holder.ts", import.meta.url));

/** How often each of `needles` occurs in the memory of process `pid`. */
async function occurrences(
  pid: number,
  needles: readonly Uint8Array[],
): Promise<number[]> {
  const counts = needles.map(() => 0);
  using memory = await Deno.open(`/proc/${pid}/mem`);
  for await (const { from, size } of presentMemory(pid)) {
    const bytes = Buffer.alloc(size);
    memory.seekSync(BigInt(from), Deno.SeekMode.Start);
    try {
      memory.readSync(bytes);
    } catch {
      continue; // it was given back since
    }
    for (const [at, needle] of needles.entries()) {
      let found = bytes.indexOf(needle);
      while (found >= 0) {
        counts[at] = (counts[at] ?? 0) + 1;
        found = bytes.indexOf(needle, found + 1);
      }
    }
  }
  return counts;
}

/** Runs of writable pages that `pid` really has, of the GBs that it reserves. */
async function* presentMemory(
  pid: number,
): AsyncGenerator<{ readonly from: number; readonly size: number }> {
  using pagemap = await Deno.open(`/proc/${pid}/pagemap`);
  const maps = await Deno.readTextFile(`/proc/${pid}/maps`);
  for (const [, from = "", to = ""] of maps.matchAll(/^(\w+)-(\w+) rw/gm)) {
    const start = parseInt(from, 16);
    const pages = (parseInt(to, 16) - start) / PAGE;
    const entries = new BigUint64Array(pages);
    pagemap.seekSync(start / PAGE * 8, Deno.SeekMode.Start);
    pagemap.readSync(new Uint8Array(entries.buffer));
    let first: number | undefined;
    for (let page = 0; page <= pages; page++) {
      const isPresent = ((entries[page] ?? 0n) >> 63n) === 1n;
      if (isPresent) {
        first ??= page;
      } else if (first !== undefined) {
        yield { from: start + first * PAGE, size: (page - first) * PAGE };
        first = undefined;
      }
    }
  }
}

Deno.test({
  name: "an agent that only got U has the key nowhere in its memory",
  // Reading another process's memory needs root or a lenient kernel.
  ignore: Deno.uid() !== 0,
  fn: async () => {
    const given = keyCase("aes256-text");
    const needles = [given.u_hex, given.v_hex, given.k_hex].map((hex) =>
      Uint8Array.fromHex(hex)
    );
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-prompt", HOLDER],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const input = child.stdin.getWriter();
    const answers = child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    const tell = async (message: unknown): Promise<string | undefined> => {
      const line = new TextEncoder().encode(`${JSON.stringify(message)}\n`);
      await input.write(line);
      return (await answers.read()).value;
    };
    try {
      assert.equal(
        await tell({
          private_key: TRANSPORT_KEY.export({ type: "pkcs8", format: "pem" }),
          uuid: given.agent_uuid,
          ...given.ukey_request,
        }),
        "waiting\n",
      );
      const [u, v, k] = await occurrences(child.pid, needles);
      assert.ok(u !== undefined && u > 0, "the search finds nothing at all");
      assert.deepEqual({ v, k }, { v: 0, k: 0 });

      assert.equal(await tell(given.vkey_request), "combined\n");
      const [, , combined] = await occurrences(child.pid, needles);
      assert.ok(combined !== undefined && combined > 0);
    } finally {
      await input.close();
      await answers.read();
      await child.status;
    }
  },
});
