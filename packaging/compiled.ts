/**
 * The agent as an executable that `deno compile` makes: denort, which is Deno's
 * runtime without its tools, with the program appended.
 *
 * @module
 */

import { CommandError, runCommand } from "./command.ts";
import type { Dependencies } from "./dependencies.ts";
import { V8_FLAGS } from "./v8_flags.ts";

/** There is no denort to compile with; the message says what to do. */
export class DenortError extends Error {
  /** The class's name, also after bundling. */
  override readonly name = "DenortError";

  /** The build has no denort because of `reason`. */
  constructor(reason: string, options?: ErrorOptions) {
    super(
      `${reason}; set DENORT_BIN to the denort of Deno ${Deno.version.deno}, ` +
        "or run ./dev build --portable, which needs none",
      options,
    );
  }
}

/**
 * What is fixed in the executable.
 *
 * All permissions: with any less, Deno 2.9.6 lets no program read /dev, /proc
 * and /sys. The sandbox is the unit's. No code cache: the executable would keep
 * it at a name in /tmp that others can foresee.
 */
const FLAGS = [
  ...["--allow-all", "--no-prompt", "--no-code-cache"],
  `--v8-flags=${V8_FLAGS}`,
  ...["--no-config", "--no-lock", "--no-check", "--no-remote", "--no-npm"],
  "--app-name=keylime_agent",
];

/** What a program is compiled with. */
export interface CompileOptions {
  /** Path of the denort, which is Deno's to download if there is none. */
  readonly denort: string | undefined;
  /** Whether Deno may download, and where to. */
  readonly dependencies: Pick<Dependencies, "env" | "isVendored">;
}

/**
 * Compiles the bundle `program` into the new file `output`. The same bundle and
 * denort give the same bytes.
 *
 * @throws DenortError when there is no denort
 */
export async function compileProgram(
  program: string,
  output: string,
  { denort, dependencies }: CompileOptions,
): Promise<void> {
  if (denort !== undefined) {
    await Deno.stat(denort).catch((cause) => {
      throw new DenortError(`Cannot read DENORT_BIN "${denort}"`, { cause });
    });
  } else if (dependencies.isVendored) {
    throw new DenortError("vendor/ holds no denort");
  }
  // The time of the file goes into the executable.
  await Deno.utime(program, 0, 0);
  const compile = ["compile", "--quiet", ...FLAGS, `--output=${output}`];
  const env = {
    ...dependencies.env,
    ...(denort === undefined ? {} : { DENORT_BIN: denort }),
  };
  try {
    await runCommand([Deno.execPath(), ...compile, program], { env });
  } catch (cause) {
    if (!(cause instanceof CommandError)) throw cause;
    if (/Writing binary bytes/.test(cause.stderr)) {
      throw new DenortError(`"${denort}" is no denort`, { cause });
    }
    if (!/Setting up base binary/.test(cause.stderr)) throw cause;
    throw new DenortError("Cannot download denort", { cause });
  }
}
