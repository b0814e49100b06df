/**
 * Telling the administrator which of the chosen options do nothing here.
 *
 * @module
 */

import { refusal } from "./error.ts";
import { OPTION_NAMES, optionOf } from "./options.ts";
import { whereIs } from "./origin.ts";
import type { Resolution } from "./resolution.ts";
import { isChanged } from "./settings.ts";

/**
 * Warns of every changed option that this agent does not serve.
 *
 * @throws {ConfigError} for one that security hangs on
 */
export function checkStatus({ settings, warn }: Resolution): void {
  for (const name of OPTION_NAMES) {
    const setting = settings[name];
    const { status } = optionOf(name);
    if (status.kind === "used" || !isChanged(setting)) continue;
    const subject = `${whereIs(setting.origin)}: option "${name}"`;
    if (status.kind === "push") {
      const note = status.note === undefined ? "" : `; ${status.note}`;
      warn(`${subject} is only used in push mode, so it is ignored${note}`);
    } else if (status.whenSet === "refuse") {
      throw refusal(setting, String(optionOf(name).default), {
        why: `but ${status.note}`,
      });
    }
  }
}
