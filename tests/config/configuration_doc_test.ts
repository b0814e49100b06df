import assert from "node:assert/strict";
import {
  OPTION_NAMES,
  type OptionName,
  optionOf,
  variableOf,
} from "../../config/options.ts";

const DOC = new URL("../../docs/configuration.md", import.meta.url);

/** The row that the manual must have for option `name`. */
function row(name: OptionName): string {
  const { meaning, status } = optionOf(name);
  const served = {
    used: "works",
    push: "push mode only",
    unbuilt: "not built yet",
  }[status.kind];
  const cells = [`\`${name}\``, shownDefault(name), meaning, served];
  return `| ${[...cells, `\`${variableOf(name)}\``].join(" | ")} |`;
}

function shownDefault(name: OptionName): string {
  const option = optionOf(name);
  if (option.type !== "text") return `\`${option.default}\``;
  if (option.defaultNote !== undefined) return option.defaultNote;
  if (option.path !== undefined) {
    const base = option.path.base === "/" ? "" : "K";
    return `\`${base}/${option.path.file}\``;
  }
  return option.default === "" ? "empty" : `\`${option.default}\``;
}

/** The manual's lines, the padding of its table columns removed. */
async function lines(): Promise<readonly string[]> {
  const text = await Deno.readTextFile(DOC);
  return text.split("\n").map((line) => line.replaceAll(/ {2,}/g, " "));
}

Deno.test("docs/configuration.md has a true row for every option", async (t) => {
  const manual = await lines();
  for (const name of OPTION_NAMES) {
    await t.step(name, () => {
      const found = manual.filter((line) => line.startsWith(`| \`${name}\` |`));
      assert.deepEqual(found, [row(name)]);
    });
  }
});

Deno.test("docs/configuration.md has no row for anything else", async () => {
  const rows = (await lines()).filter((line) =>
    /KEYLIME_AGENT_\w+` \|$/.test(line)
  );
  assert.equal(rows.length, OPTION_NAMES.length);
});
