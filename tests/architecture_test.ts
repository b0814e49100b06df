import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

/**
 * The rooms of the house and which others each may enter. Whoever changes this
 * table changes ARCHITECTURE.md too.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  tpm: [],
  log: [],
  crypto: [],
  ima: [],
  config: ["log"],
  payload: ["config", "crypto", "log"],
  revocation: ["config", "crypto", "log", "payload"],
  agent: ["config", "crypto", "ima", "log", "tpm"],
  service: ["agent", "log"],
  api: ["agent", "config", "crypto", "log", "payload", "revocation"],
};

/** Folders of `tpm/`, and the files above them, from the ground up. */
const TPM_STOREYS = [
  ["codec/"],
  ["spec/"],
  ["authorization.ts", "crypto.ts", "entity.ts"],
  ["commands/"],
  ["error.ts"],
  ["session/", "transport/"],
  [
    "capability.ts",
    "client.ts",
    "nv.ts",
    "object.ts",
    "pcr.ts",
    "space.ts",
    "templates.ts",
  ],
  ["mod.ts"],
] as const;

const ROOT = fileURLToPath(new URL("..", import.meta.url));

interface Import {
  readonly from: string;
  readonly to: string;
}

/** Every import between files of the project, as paths below its root. */
async function importsOf(entry: string): Promise<Import[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", `${ROOT}${entry}`],
    stdout: "piped",
    stderr: "inherit",
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
    modules: {
      specifier: string;
      dependencies?: {
        code?: { specifier?: string };
        type?: { specifier?: string };
      }[];
    }[];
  };
  const base = new URL("..", import.meta.url).href;
  const local = (url: string | undefined): string | undefined =>
    url?.startsWith(base) ? url.slice(base.length) : undefined;
  return modules.flatMap(({ specifier, dependencies = [] }) =>
    dependencies.flatMap(({ code, type }) => {
      const from = local(specifier);
      const to = local(code?.specifier ?? type?.specifier);
      return from === undefined || to === undefined ? [] : [{ from, to }];
    })
  );
}

function roomOf(path: string): string | undefined {
  return path.includes("/") ? path.split("/")[0] : undefined;
}

function storeyOf(path: string): number {
  const below = path.slice("tpm/".length);
  return TPM_STOREYS.findIndex((members) =>
    members.some((member) =>
      member.endsWith("/") ? below.startsWith(member) : below === member
    )
  );
}

const imports = await importsOf("main.ts");

Deno.test("imports between rooms go one way", () => {
  assert.ok(imports.length > 100, "the module graph is empty");
  for (const { from, to } of imports) {
    const [room, other] = [roomOf(from), roomOf(to)];
    if (room === undefined || room === other) continue;
    const isAllowed = other !== undefined && MAY_IMPORT[room]?.includes(other);
    assert.ok(isAllowed, `${from} may not import ${to}`);
  }
});

Deno.test("other rooms enter tpm/ through its one door", () => {
  for (const { from, to } of imports) {
    if (roomOf(to) !== "tpm" || roomOf(from) === "tpm") continue;
    assert.equal(to, "tpm/mod.ts", `${from} imports ${to}`);
  }
});

Deno.test("imports inside tpm/ go down", () => {
  for (const { from, to } of imports) {
    if (roomOf(from) !== "tpm" || roomOf(to) !== "tpm") continue;
    const [upper, lower] = [storeyOf(from), storeyOf(to)];
    assert.ok(upper >= 0, `${from} is on no storey`);
    assert.ok(lower <= upper, `${from} imports ${to}, which is above it`);
  }
});

Deno.test("no file imports itself through others", () => {
  const next = new Map<string, string[]>();
  for (const { from, to } of imports) {
    next.set(from, [...next.get(from) ?? [], to]);
  }
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    assert.ok(!way.includes(path), `cycle: ${[...way, path].join(" -> ")}`);
    if (done.has(path)) return;
    for (const other of next.get(path) ?? []) visit(other, [...way, path]);
    done.add(path);
  };
  visit("main.ts", []);
});

Deno.test("every source file of the agent is part of it", async () => {
  const used = new Set(imports.flatMap(({ from, to }) => [from, to]));
  // A TPM library has more than this agent asks of it: commands for whoever
  // makes and tests a TPM, transports that play or record one.
  const forTests = [
    "commands/startup.ts",
    "transport/recorder.ts",
    "transport/replay.ts",
    "transport/faulty.ts",
  ].map((name) => `tpm/${name}`);
  for (const room of Object.keys(MAY_IMPORT)) {
    for await (const path of sourcesBelow(room)) {
      assert.ok(used.has(path) || forTests.includes(path), `${path} is unused`);
    }
  }
});

Deno.test("no source file is longer than 400 lines", async () => {
  for (const room of [...Object.keys(MAY_IMPORT), "tests"]) {
    for await (const path of sourcesBelow(room)) {
      const lines = (await Deno.readTextFile(ROOT + path)).split("\n").length;
      assert.ok(lines <= 401, `${path} has ${lines - 1} lines`);
    }
  }
});

async function* sourcesBelow(directory: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(ROOT + directory)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) yield* sourcesBelow(path);
    else if (entry.name.endsWith(".ts")) yield path;
  }
}
