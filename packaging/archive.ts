/**
 * Archives that have the same bytes whenever and by whomever they are made.
 *
 * @module
 */

import { runCommand } from "./command.ts";

/**
 * Packs what is in `directory` into the new file `archive`, a tar compressed
 * by gzip: sorted, all of root's, from the beginning of time, and of every mode
 * only what makes a program.
 *
 * @throws CommandError when GNU tar or gzip fails
 */
export async function packDirectory(
  directory: string,
  archive: string,
): Promise<void> {
  const tar = `${archive}.tar`;
  await runCommand([
    "tar",
    "--create",
    `--file=${tar}`,
    `--directory=${directory}`,
    "--format=ustar",
    "--sort=name",
    "--mtime=@0",
    "--owner=root:0",
    "--group=root:0",
    "--numeric-owner",
    "--mode=u=rwX,go=rX",
    ...Array.from(Deno.readDirSync(directory), ({ name }) => name).sort(),
  ]);
  // Name and time of the tar would be in it without --no-name.
  await runCommand(["gzip", "--no-name", "--force", tar]);
  await Deno.rename(`${tar}.gz`, archive);
}
