/**
 * Runs one program of the lab to its end.
 *
 * @module
 */

/** What a program that ended left behind. */
export interface CommandOutput {
  /** Exit code; 128 + n after signal n. */
  readonly code: number;
  /** What it wrote to standard output. */
  readonly stdout: string;
  /** What it wrote to standard error. */
  readonly stderr: string;
}

/** How a program is run. */
export interface CommandOptions {
  /** Variables besides {@linkcode baseEnvironment}. */
  readonly env?: Readonly<Record<string, string>>;
  /** Its working directory; ours unless told. */
  readonly cwd?: string;
  /** Bytes for standard input, which is empty without it. */
  readonly stdin?: Uint8Array;
  /** After this long the program is killed and the call fails. */
  readonly timeoutMs?: number;
}

/**
 * The variables of the caller's environment that lab programs may see. All
 * others are withheld: a stray `KEYLIME_*` or `TPM2TOOLS_TCTI` of the machine
 * must not decide a test.
 */
export function baseEnvironment(): Record<string, string> {
  const kept = ["PATH", "HOME", "TMPDIR", "DENO_DIR", "XDG_CACHE_HOME"];
  const env: Record<string, string> = { LANG: "C.UTF-8" };
  for (const name of kept) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/**
 * Runs `argv` and resolves when it has ended, whatever its exit code.
 *
 * @throws Error when it cannot be started or takes longer than `timeoutMs`
 * (60 s unless told)
 */
export async function run(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<CommandOutput> {
  const { env = {}, cwd, stdin, timeoutMs = 60_000 } = options;
  const [program = "", ...args] = argv;
  const child = new Deno.Command(program, {
    args,
    env: { ...baseEnvironment(), ...env },
    clearEnv: true,
    ...(cwd === undefined ? {} : { cwd }),
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    detached: true, // a group of its own, to reach its children too
  }).spawn();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    Deno.kill(-child.pid, "SIGKILL");
  }, timeoutMs);
  try {
    if (stdin !== undefined) await feed(child.stdin, stdin);
    const { code, stdout, stderr } = await child.output();
    if (isLate) {
      throw new Error(`"${argv.join(" ")}" took longer than ${timeoutMs} ms`);
    }
    const decoder = new TextDecoder();
    return {
      code,
      stdout: decoder.decode(stdout),
      stderr: decoder.decode(stderr),
    };
  } finally {
    clearTimeout(timer);
  }
}

async function feed(
  input: WritableStream<Uint8Array>,
  bytes: Uint8Array,
): Promise<void> {
  const writer = input.getWriter();
  try {
    await writer.write(bytes);
    await writer.close();
  } catch {
    // The program ended without reading it all, which is its right.
  }
}

/**
 * As {@linkcode run}, for a program that must succeed; resolves with its
 * standard output.
 *
 * @throws Error with what it wrote, when its exit code is not 0
 */
export async function runOk(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(argv, options);
  if (code !== 0) {
    throw new Error(
      `"${argv.join(" ")}" ended with exit code ${code}:\n${stdout}${stderr}`,
    );
  }
  return stdout;
}
