/**
 * What the manual says, for tests of whether it is so.
 *
 * @module
 */

const DOCS = new URL("../../docs/", import.meta.url);

/**
 * The cells of the first table below the heading `section` in `file` of the
 * manual, row by row, without its head.
 *
 * @throws Error if there is none
 */
export async function manualTable(
  file: string,
  section: string,
): Promise<readonly (readonly string[])[]> {
  const text = await Deno.readTextFile(new URL(file, DOCS));
  const [, below = ""] = text.split(`\n## ${section}\n`);
  const [, lines = ""] =
    /^((?:\|.*\n?)+)/m.exec(below.split("\n## ")[0] ?? "") ??
      [];
  const rows = lines.trim().split("\n").map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  );
  if (rows.length < 3) {
    throw new Error(`docs/${file} has no table below "${section}"`);
  }
  return rows.slice(2);
}
