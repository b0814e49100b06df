/**
 * A temporary directory that configuration sees as the whole file system.
 *
 * @module
 */

import { dirname } from "node:path";
import { systemFiles } from "../../config/files.ts";
import type { ConfigInputs } from "../../config/sources.ts";

/** The file that most tests write their options to. */
export const MAIN = "/etc/keylime/agent.conf";

/** A file system whose only directory is the default working directory. */
export class ConfigRoot implements AsyncDisposable {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** What `loadConfig` needs to see this file system, as root by default. */
  inputs(
    environment: Record<string, string> = {},
    uid = 0,
  ): ConfigInputs {
    return { files: systemFiles(this.path), environment, uid };
  }

  async write(
    path: string,
    content: string | Uint8Array,
    mode = 0o600,
  ): Promise<void> {
    await Deno.mkdir(dirname(this.path + path), { recursive: true });
    const bytes = typeof content === "string"
      ? new TextEncoder().encode(content)
      : content;
    await Deno.writeFile(this.path + path, bytes);
    await Deno.chmod(this.path + path, mode);
  }

  /** Makes `path` a link to `target`, which is taken as it is. */
  async link(target: string, path: string): Promise<void> {
    await Deno.mkdir(dirname(this.path + path), { recursive: true });
    await Deno.symlink(target, this.path + path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** A fresh root in which `files` (path to content) are written. */
export async function configRoot(
  files: Readonly<Record<string, string | Uint8Array>> = {},
): Promise<ConfigRoot> {
  const root = new ConfigRoot(await Deno.makeTempDir());
  await Deno.mkdir(`${root.path}/var/lib/keylime`, { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    await root.write(path, content);
  }
  return root;
}

/** A root whose main file holds the lines `options` in table `[agent]`. */
export function rootWith(...options: readonly string[]): Promise<ConfigRoot> {
  return configRoot({ [MAIN]: `[agent]\n${options.join("\n")}\n` });
}

/** The bytes of a file in `tests/fixtures/config`. */
export function fixture(name: string): Promise<Uint8Array> {
  return Deno.readFile(new URL(`../fixtures/config/${name}`, import.meta.url));
}
