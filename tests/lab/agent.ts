/**
 * Our agent as an administrator runs it: a process of its own with a
 * configuration file, known to nobody until it registers.
 *
 * @module
 */

import { fileURLToPath as fromFileUrl } from "node:url";
import { stringify } from "smol-toml";
import { V8_FLAGS } from "../../packaging/v8_flags.ts";
import type { ControlPlane } from "./keylime.ts";
import { freePorts } from "./ports.ts";
import { LabProcess } from "./process.ts";
import { waitFor } from "./wait.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** Set it to the path of an executable, and the lab runs that as the agent. */
const EXECUTABLE = "DENO_KEYLIME_AGENT";

/**
 * The agent as the lab runs it: the executable named in the environment
 * variable `DENO_KEYLIME_AGENT`, or its sources with the permissions it is
 * shipped with: all, for Deno 2.9.6 lets no program with less read /dev, /proc
 * and /sys.
 */
export const PROGRAM = program(Deno.env.get(EXECUTABLE));

function program(executable: string | undefined): string[] {
  if (executable) {
    // Where a portable one unpacks itself, for all tests once.
    return ["/usr/bin/env", `CACHE_DIRECTORY=${ROOT}dist/cache`, executable];
  }
  return [
    Deno.execPath(),
    "run",
    ...["-A", `--v8-flags=${V8_FLAGS}`, "--no-prompt"],
    ...["--cached-only", "--frozen", "--config", `${ROOT}deno.json`],
    `${ROOT}main.ts`,
  ];
}

/** Agent options by their names in `agent.conf`. */
export type AgentOptions = Readonly<Record<string, string | number | boolean>>;

/** What an agent needs to live in a lab. */
export interface LabAgentOptions {
  /** Its TPM. */
  readonly tcti: string;
  /** Whom it registers with; its CA is whom the agent trusts. */
  readonly controlPlane: ControlPlane;
  /** Its id. */
  readonly uuid: string;
  /** Options besides those that the lab needs. */
  readonly options?: AgentOptions;
  /** Environment variables besides `TCTI`. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A new agent id. */
export function newAgentId(): string {
  return crypto.randomUUID();
}

/** One agent, which may be stopped and started again. */
export class LabAgent implements AsyncDisposable {
  readonly uuid: string;
  readonly port: number;
  /** Its `keylime_dir`. */
  readonly directory: string;
  readonly #options: LabAgentOptions;
  #process: LabProcess | undefined;

  private constructor(directory: string, options: LabAgentOptions) {
    this.directory = directory;
    this.uuid = options.uuid;
    this.port = freePorts();
    this.#options = options;
  }

  /** Sets one up in the new `directory`, not yet running. */
  static async create(
    directory: string,
    options: LabAgentOptions,
  ): Promise<LabAgent> {
    await Deno.mkdir(directory, { mode: 0o700 });
    const agent = new LabAgent(directory, options);
    await agent.configure(options.options ?? {});
    return agent;
  }

  /** Sets one up in the new `directory` and starts it. */
  static async start(
    directory: string,
    options: LabAgentOptions,
  ): Promise<LabAgent> {
    const agent = await LabAgent.create(directory, options);
    await agent.start();
    return agent;
  }

  /** Writes `agent.conf` anew; it holds from the next start on. */
  async configure(options: AgentOptions): Promise<void> {
    const { place, certificates } = this.#options.controlPlane;
    const agent = {
      uuid: this.uuid,
      ip: "127.0.0.1",
      port: this.port,
      contact_ip: "127.0.0.1",
      contact_port: this.port,
      registrar_ip: "127.0.0.1",
      registrar_port: place.registrarPort,
      keylime_dir: this.directory,
      trusted_client_ca: certificates.authority,
      run_as: "",
      ima_ml_path: `${this.directory}/no-ima-list`,
      measuredboot_ml_path: `${this.directory}/no-boot-log`,
      exponential_backoff_initial_delay: 200,
      exponential_backoff_max_delay: 1000,
      ...options,
    };
    await Deno.writeTextFile(this.#configFile, stringify({ agent }));
  }

  get #configFile(): string {
    return `${this.directory}/agent.conf`;
  }

  /** Starts the process; resolves when it has registered, unless told. */
  async start(
    until: "registered" | "listening" | "started" = "registered",
  ): Promise<void> {
    // One that ended by itself still has its watchdog.
    await this.#process?.kill();
    const before = (await this.log()).length;
    const wanted = {
      registered: `SUCCESS: Agent ${this.uuid} activated`,
      listening: "Listening on",
      started: "",
    }[until];
    this.#process = await LabProcess.start(PROGRAM, {
      name: "keylime_agent",
      logFile: this.logFile,
      env: {
        TCTI: this.#options.tcti,
        KEYLIME_AGENT_CONFIG: this.#configFile,
        RUST_LOG: "keylime_agent=debug",
        NO_COLOR: "1",
        ...this.#options.env,
      },
      ready: async () => (await this.log()).slice(before).includes(wanted),
    });
  }

  /** File with everything the agent wrote. */
  get logFile(): string {
    return `${this.directory}/agent.log`;
  }

  /** Everything the agent wrote, over all its starts. */
  async log(): Promise<string> {
    return await Deno.readTextFile(this.logFile).catch(() => "");
  }

  /** Resolves when the log holds `text`. */
  async logs(text: string): Promise<void> {
    await waitFor(
      `"${text}" in the agent's log`,
      async () => (await this.log()).includes(text),
    );
  }

  /** The running process. */
  get process(): LabProcess {
    if (this.#process === undefined) throw new Error("The agent never started");
    return this.#process;
  }

  /** Ends the agent as systemd does, and returns its exit code. */
  async stop(): Promise<number> {
    const { code } = await this.process.stop();
    return code;
  }

  /** Ends the agent without giving it a chance. */
  async kill(): Promise<void> {
    await this.process.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.stop();
  }
}
