/**
 * Finding the configuration files, in the order in which they count. Contract
 * section 1.1.
 *
 * @module
 */

import { quoted } from "../log/log.ts";
import { ConfigError } from "./error.ts";
import type { ConfigFiles } from "./files.ts";
import type { Origin } from "./origin.ts";

/** The variable that names the only file to read. */
export const CONFIG_VARIABLE = "KEYLIME_AGENT_CONFIG";

const DIRECTORIES = ["/usr/etc/keylime", "/etc/keylime"];
const A_FILE = "a regular TOML file";

/** A configuration file's content. */
export interface SourceFile {
  /** The file, for messages. */
  readonly origin: Origin;
  /** The whole file. */
  readonly bytes: Uint8Array;
  /** Whether every user of the machine may read it. */
  readonly isWorldReadable: boolean;
}

/**
 * The configuration files, later ones over earlier ones.
 *
 * @param only the file that {@linkcode CONFIG_VARIABLE} names; without one,
 * the vendor's and then the administrator's files are read, each followed by
 * its drop-ins
 * @throws {ConfigError} for what is there and cannot be read, and for a
 * missing file `only`
 */
export async function findFiles(
  files: ConfigFiles,
  only: string | undefined,
): Promise<readonly SourceFile[]> {
  if (only !== undefined && only !== "") {
    const file = await readFile(files, only);
    if (file !== undefined) return [file];
    throw new ConfigError(
      ` names ${quoted(only)}, which does not exist; accepted: ${A_FILE}`,
      {
        origin: { kind: "environment", variable: CONFIG_VARIABLE },
        value: quoted(only),
        accepted: A_FILE,
      },
    );
  }
  const found: SourceFile[] = [];
  for (const directory of DIRECTORIES) {
    const main = await readFile(files, `${directory}/agent.conf`);
    if (main !== undefined) found.push(main);
    found.push(...await readDropIns(files, `${directory}/agent.conf.d`));
  }
  return found;
}

/** The file at `path` or else at `path.toml`, if there is one. */
async function readFile(
  files: ConfigFiles,
  path: string,
): Promise<SourceFile | undefined> {
  for (const candidate of [path, `${path}.toml`]) {
    const origin: Origin = { kind: "file", path: candidate };
    const found = await reading(origin, () => files.read(candidate));
    if (found.kind === "other") throw unusable(" is not a file", origin);
    if (found.kind === "file") return { origin, ...found };
  }
  return undefined;
}

/**
 * The files of a drop-in directory in the order of their names. Directories
 * are skipped: Kubernetes puts some beside the files of a mounted ConfigMap.
 */
async function readDropIns(
  files: ConfigFiles,
  directory: string,
): Promise<readonly SourceFile[]> {
  const names = await reading(
    { kind: "directory", path: directory },
    () => files.list(directory),
  );
  const dropIns: SourceFile[] = [];
  for (const name of (names ?? []).toSorted()) {
    const path = `${directory}/${name}`;
    const origin: Origin = { kind: "file", path };
    const found = await reading(origin, () => files.read(path));
    if (found.kind === "file") dropIns.push({ origin, ...found });
    else if (found.kind === "absent") {
      throw unusable(" is a link to nothing", origin);
    } else if (!found.isDirectory) throw unusable(" is not a file", origin);
  }
  return dropIns;
}

function unusable(problem: string, origin: Origin): ConfigError {
  return new ConfigError(`${problem}; accepted: ${A_FILE}`, {
    origin,
    accepted: A_FILE,
  });
}

/** What `read` gives; a failure becomes one of what is at `origin`. */
async function reading<T>(origin: Origin, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw new ConfigError(
      " cannot be read; make it readable for the agent or remove it",
      { origin, cause },
    );
  }
}
