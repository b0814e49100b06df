/**
 * An agent's revocation part with a working directory of its own.
 *
 * @module
 */

import type { RevocationConfig } from "../../config/agent_config.ts";
import { LEVELS, type Log } from "../../log/log.ts";
import { Revocations } from "../../revocation/revocation.ts";
import { waitFor } from "../lab/wait.ts";
import { GIVEN } from "./signing.ts";

/** How a {@linkcode RevocationBench} differs from the usual. */
export interface BenchOptions {
  /** Parts of the configuration. */
  readonly config?: Partial<RevocationConfig>;
  /** The revocation certificate, in PEM; none when null. */
  readonly certificate?: string | null;
}

/** A log that keeps its lines, and can be waited for. */
export class RecordedLog {
  /** Every line so far, as `level message`. */
  readonly lines: string[] = [];
  /** What writes them. */
  readonly log = Object.fromEntries(
    LEVELS.map((level) => [level, (message: string): void => {
      this.lines.push(`${level} ${message}`);
    }]),
  ) as Log;

  /** How many lines are like `wanted`. */
  count(wanted: RegExp): number {
    return this.lines.filter((line) => wanted.test(line)).length;
  }

  /** Resolves when `count` lines are like `wanted`. */
  async has(wanted: RegExp, count = 1): Promise<void> {
    const look = (): boolean => this.count(wanted) >= count;
    await waitFor(`${wanted} in the log`, look, { everyMs: 5 }).catch(
      (cause) => {
        throw new Error(`The log is:\n${this.lines.join("\n")}`, { cause });
      },
    );
  }
}

/** A {@linkcode Revocations} in a temporary directory, until disposal. */
export class RevocationBench extends RecordedLog implements AsyncDisposable {
  /** The `keylime_dir`. */
  readonly directory: string;
  /** Stops the agent. */
  readonly stop = new AbortController();
  #revocations: Revocations | undefined;

  private constructor(directory: string) {
    super();
    this.directory = directory;
  }

  static async open(options: BenchOptions = {}): Promise<RevocationBench> {
    const bench = new RevocationBench(await Deno.makeTempDir());
    const { certificate = GIVEN.certificate_pem } = options;
    await Deno.mkdir(bench.unzipped, { recursive: true });
    await Deno.mkdir(bench.installed);
    if (certificate !== null) {
      await Deno.writeTextFile(bench.certificate, certificate);
    }
    bench.#revocations = await Revocations.open({
      config: {
        notifications: { kind: "rest" },
        certificate: bench.certificate,
        actions: [],
        actionsDir: bench.installed,
        payloadActions: "allowed",
        actionTimeLimitMs: 60_000,
        ...options.config,
      },
      keylimeDir: bench.directory,
      log: bench.log,
      signal: bench.stop.signal,
    });
    return bench;
  }

  /** What is tested. */
  get revocations(): Revocations {
    if (this.#revocations === undefined) throw new Error("Not open yet");
    return this.#revocations;
  }

  /** Where a payload is unpacked. */
  get unzipped(): string {
    return `${this.directory}/secure/unzipped`;
  }

  /** The administrator's directory of actions. */
  get installed(): string {
    return `${this.directory}/libexec`;
  }

  /** The file with the revocation certificate. */
  get certificate(): string {
    return `${this.unzipped}/RevocationNotifier-cert.crt`;
  }

  /** Puts an executable shell script into `directory`. */
  async script(directory: string, name: string, text: string): Promise<void> {
    const path = `${directory}/${name}`;
    await Deno.writeTextFile(path, `#!/bin/sh\n${text}\n`);
    await Deno.chmod(path, 0o700);
  }

  /** Puts executable shell scripts into a payload that lists them. */
  async deliver(scripts: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, text] of Object.entries(scripts)) {
      await this.script(this.unzipped, name, text);
    }
    const list = Object.keys(scripts).join(", ");
    await Deno.writeTextFile(`${this.unzipped}/action_list`, list);
  }

  /** The lines that actions wrote to standard output, in order. */
  get output(): readonly string[] {
    return this.lines.flatMap((line) => {
      const found = /^info Action stdout: (".*")$/.exec(line)?.[1];
      return found === undefined ? [] : [JSON.parse(found)];
    });
  }

  /** The names in the working directory that start like a message's file. */
  async messageFiles(): Promise<readonly string[]> {
    const names = await Array.fromAsync(
      Deno.readDir(this.directory),
      ({ name }) => name,
    );
    return names.filter((name) => name.startsWith(".tmp"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#revocations?.[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true });
  }
}
