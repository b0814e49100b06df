/**
 * The actions that follow a revocation: which ones, and where they are
 * (contract section 9.3).
 *
 * @module
 */

import { parseList } from "../config/lists.ts";
import { quoted } from "../log/log.ts";
import { RevocationError } from "./error.ts";

/** Where actions are looked up. */
export interface ActionDirectories {
  /** Absolute path of the administrator's own; undefined for none. */
  readonly installed: string | undefined;
  /** Absolute path of the payload's; undefined where those may not run. */
  readonly delivered: string | undefined;
}

/** Largest `action_list` that is read, in bytes. */
const LIST_LIMIT = 65_536;

/** Characters that can neither leave a directory nor upset a log line. */
const PLAIN_NAME = /^[\x21-\x2e\x30-\x7e]{1,255}$/;

/**
 * The names in the file `action_list` of the directory that a payload was
 * unpacked to, in order; none if there is no such file.
 *
 * @throws {RevocationError} when it is no list
 */
export async function deliveredNames(
  unzipped: string,
): Promise<readonly string[]> {
  const path = `${unzipped}/action_list`;
  const found = await infoOf(path);
  if (found === undefined) return [];
  if (!found.isFile || found.size > LIST_LIMIT) {
    throw new RevocationError(
      "action",
      `The payload's "action_list" is no regular file of at most ${LIST_LIMIT} bytes`,
    );
  }
  try {
    return parseList(await Deno.readTextFile(path));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new RevocationError(
      "action",
      'The payload\'s "action_list" is no list of names, ' +
        "separated by newlines, blanks or commas",
      { cause },
    );
  }
}

/**
 * The absolute path of the executable for action `name`: the administrator's
 * if there is one, else the payload's. Undefined when only a payload's could
 * be meant, and those may not run.
 *
 * @throws {RevocationError} when `name` is no plain file name, or there is no
 * such file
 */
export async function findAction(
  name: string,
  { installed, delivered }: ActionDirectories,
): Promise<string | undefined> {
  if (!PLAIN_NAME.test(name) || name === "." || name === "..") {
    throw new RevocationError(
      "action",
      `Revocation action ${quoted(name)} is refused: ` +
        "expected the name of a file without a directory",
    );
  }
  for (const directory of [installed, delivered]) {
    if (directory === undefined) continue;
    const path = `${directory}/${name}`;
    const found = await infoOf(path);
    if (found === undefined) continue;
    // The administrator may link to a program; what a payload links to
    // would be a way out of its directory.
    const isFile = directory === installed && found.isSymlink
      ? (await Deno.stat(path)).isFile
      : found.isFile;
    if (isFile) return path;
    throw new RevocationError("action", `"${path}" is no regular file`);
  }
  if (delivered === undefined) return undefined;
  const places = [installed, delivered].filter((place) => place !== undefined);
  throw new RevocationError(
    "action",
    `Revocation action ${name} is in none of "${places.join('", "')}"`,
  );
}

/** What is at `path`, links not followed; undefined for nothing. */
async function infoOf(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
