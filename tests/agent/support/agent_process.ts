/**
 * The agent as a process of its own, without any control plane.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { stringify } from "smol-toml";
import { type AgentOptions, PROGRAM } from "../../lab/agent.ts";
import { baseEnvironment, type CommandOutput, run } from "../../lab/command.ts";
import { freePorts } from "../../lab/ports.ts";
import { LabProcess } from "../../lab/process.ts";
import { waitFor } from "../../lab/wait.ts";
import type { BareTpm } from "./bare_tpm.ts";

/** How a process differs from the usual one. */
export interface AgentProcessOptions {
  /** Options of `agent.conf`. */
  readonly options?: AgentOptions;
  /** Environment variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments of the program. */
  readonly args?: readonly string[];
}

/** The id of every agent here. */
export const UUID = "3f2a1c5e-7b0d-4c6a-9e21-5d8f04b7c613";

const KEYS = new URL("../../fixtures/crypto/keys/", import.meta.url);

const USUAL: AgentOptions = {
  uuid: UUID,
  tpm_encryption_alg: "ecc",
  tpm_signing_alg: "ecdsa",
  ip: "127.0.0.1",
  registrar_ip: "127.0.0.1",
  trusted_client_ca: fileURLToPath(new URL("test-cert.pem", KEYS)),
  run_as: "",
  ima_ml_path: "/nonexistent/ima",
  measuredboot_ml_path: "/nonexistent/boot",
  exponential_backoff_initial_delay: 100,
  exponential_backoff_max_delay: 1000,
};

/** Sets an agent up in `directory`, and gives its environment. */
async function prepare(
  directory: string,
  { options = {}, env = {} }: AgentProcessOptions,
): Promise<Record<string, string>> {
  const config = `${directory}/agent.conf`;
  const agent = {
    ...USUAL,
    port: freePorts(),
    registrar_port: freePorts(),
    keylime_dir: directory,
    ...options,
  };
  await Deno.writeTextFile(config, stringify({ agent }));
  return { KEYLIME_AGENT_CONFIG: config, NO_COLOR: "1", ...env };
}

/** Runs an agent with its files in `directory` that ends by itself. */
export async function runAgent(
  directory: string,
  options: AgentProcessOptions = {},
): Promise<CommandOutput> {
  const env = await prepare(directory, options);
  return await run([...PROGRAM, ...options.args ?? []], {
    env,
    timeoutMs: 20_000,
  });
}

/** Starts an agent on `lab` whose log nobody reads any more. */
export async function startUnread(
  lab: BareTpm,
  options: AgentProcessOptions = {},
): Promise<Deno.ChildProcess> {
  const env = await prepare(lab.directory, options);
  const [program = "", ...args] = PROGRAM;
  const child = new Deno.Command(program, {
    args,
    env: { ...baseEnvironment(), TCTI: lab.tcti, ...env },
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  await child.stderr.cancel();
  return child;
}

/** Runs the agent's program with `args` alone. */
export async function runProgram(
  ...args: readonly string[]
): Promise<CommandOutput> {
  return await run([...PROGRAM, ...args], { timeoutMs: 20_000 });
}

/** An agent that runs until it is told to end. */
export class AgentProcess implements AsyncDisposable {
  readonly #process: LabProcess;
  readonly #logStart: number;

  private constructor(process: LabProcess, logStart: number) {
    this.#process = process;
    this.#logStart = logStart;
  }

  /** Starts one on the TPM `lab`; resolves when it has written `text`. */
  static async start(
    lab: BareTpm,
    text: string,
    options: AgentProcessOptions = {},
  ): Promise<AgentProcess> {
    const env = await prepare(lab.directory, options);
    const logFile = lab.path("agent.log");
    const logStart = (await Deno.stat(logFile).catch(() => ({ size: 0 }))).size;
    const process = await LabProcess.start(PROGRAM, {
      name: "keylime_agent",
      logFile,
      env: { TCTI: lab.tcti, RUST_LOG: "debug", ...env },
    });
    const agent = new AgentProcess(process, logStart);
    await agent.logs(text);
    return agent;
  }

  /** Its process id. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Everything that it wrote. */
  async log(): Promise<string> {
    return (await this.#process.log()).slice(this.#logStart);
  }

  /** Resolves when it has written `text`. */
  async logs(text: string): Promise<void> {
    await waitFor(`"${text}" in the log`, async () => {
      const log = await this.log();
      if (log.includes(text)) return true;
      if (this.#process.hasExited) throw new Error(`It ended:\n${log}`);
      return false;
    }, { everyMs: 20 });
  }

  /** Sends `signal`, and resolves with the exit code when it has ended. */
  async endBy(signal: Deno.Signal): Promise<number> {
    this.#process.signal(signal);
    return (await this.exited()).code;
  }

  /** Sends `signal`. */
  signal(signal: Deno.Signal): void {
    this.#process.signal(signal);
  }

  /** Resolves when it has ended, and fails if that takes 10 seconds. */
  async exited(): Promise<Deno.CommandStatus> {
    await waitFor("the agent to end", () => this.#process.hasExited, {
      timeoutMs: 10_000,
      everyMs: 10,
    });
    return await this.#process.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.kill();
  }
}
