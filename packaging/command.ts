/**
 * Runs the programs that a build needs.
 *
 * @module
 */

/** How a program is run. */
export interface CommandOptions {
  /** Its working directory; ours unless told. */
  readonly cwd?: string;
  /** Variables besides ours. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What a program that failed has to say. */
export class CommandError extends Error {
  /** The class's name, also after bundling. */
  override readonly name = "CommandError";
  /** What it wrote to standard error. */
  readonly stderr: string;

  /** The failure of `argv`, which wrote `stderr`. */
  constructor(argv: readonly string[], code: number, stderr: string) {
    super(`"${argv.join(" ")}" ended with exit code ${code}:\n${stderr}`);
    this.stderr = stderr;
  }
}

/**
 * Runs `argv` and resolves with its standard output.
 *
 * @throws CommandError when its exit code is not 0
 */
export async function runCommand(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const [program = "", ...args] = argv;
  const { env, ...rest } = options;
  const { code, stdout, stderr } = await new Deno.Command(program, {
    ...rest,
    args,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  if (code !== 0) throw new CommandError(argv, code, text(stderr));
  return text(stdout);
}
