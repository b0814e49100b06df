/**
 * A private mount namespace for tests: what is mounted in it ends with it.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

/** Why mounting cannot be tested here, or undefined. */
export const NO_MOUNTS: string | undefined = Deno.uid() !== 0
  ? "only root can mount"
  : new Deno.Command("unshare", {
      args: ["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
      stdout: "null",
      stderr: "null",
    }).outputSync().success
  ? undefined
  : "mounting is not permitted here";

/** What a program in the namespace said. */
export interface NamespaceOutput {
  readonly code: number;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs the shell commands `prepare` and then the Deno module `module` of this
 * directory in a mount namespace of their own, in `directory`.
 */
export async function inMountNamespace(
  { prepare = "", module, args, directory }: {
    readonly prepare?: string;
    readonly module: string;
    readonly args: readonly string[];
    readonly directory: string;
  },
): Promise<NamespaceOutput> {
  const path = fileURLToPath(new URL(module, import.meta.url));
  const { code, signal, stdout, stderr } = await new Deno.Command("unshare", {
    args: [
      ...["--mount", "sh", "-c", `set -e; ${prepare}\nexec "$@"`, "sh"],
      ...[Deno.execPath(), "run", "-A", "--no-prompt", path, ...args],
    ],
    cwd: directory,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return {
    code,
    signal,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

/** A test that mounts; where that cannot be, its name says why it is left out. */
export function mountTest(
  name: string,
  fn: (t: Deno.TestContext) => Promise<void>,
): void {
  Deno.test({
    name: NO_MOUNTS === undefined ? name : `${name} (left out: ${NO_MOUNTS})`,
    ignore: NO_MOUNTS !== undefined,
    fn,
  });
}
