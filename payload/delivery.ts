/**
 * From a key and a sealed payload to files and a script that ran (contract
 * section 8.4). One delivery at a time, in a queue of its own: neither the API
 * nor attestation ever waits for it.
 *
 * Everything that can be refused is refused before anything changes: options,
 * mount, decryption, archive and size are checked first.
 *
 * @module
 */

import { join } from "node:path";
import type { PayloadConfig } from "../config/agent_config.ts";
import { parseList } from "../config/lists.ts";
import { describe, type Log, quoted } from "../log/log.ts";
import { decryptPayload } from "./decrypt.ts";
import { PayloadError } from "./error.ts";
import { runPayloadScript } from "./payload_script.ts";
import type { SecurePlace } from "./secure_mount.ts";
import type { Secret } from "./secret.ts";
import { isZip, unpack, type UnpackedEntry } from "./unpack.ts";
import { UnzippedDirectory } from "./unzipped.ts";

/** File of the payload with the names of its revocation actions. */
export const ACTION_LIST = "action_list";

/** Most bytes of an action list that are read. */
const ACTION_LIST_MAX = 65_536;

/** What tools look for in the log of an agent without mTLS. */
const REFUSED =
  "agent mTLS is disabled, and unless 'enable_insecure_payload' is set to " +
  "'True', payloads cannot be deployed";

/** A payload with the key to it. */
export interface SealedPayload {
  /** The key, which the delivery wipes. */
  readonly key: Secret;
  /** The sealed payload. */
  readonly payload: Uint8Array<ArrayBuffer>;
}

/** What a delivery needs. */
export interface DeliveryOptions {
  /** What becomes of a payload. */
  readonly config: PayloadConfig;
  /** Where secrets may be written, if anywhere. */
  readonly place: SecurePlace;
  /** Called when new files are in place, and once more after the script. */
  readonly onDelivered: () => void | Promise<void>;
  /** Each step at debug, what an administrator wants to know above. */
  readonly log: Log;
}

/** A running script. */
interface RunningScript {
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/** Delivers payloads, each replacing the one before. */
export class PayloadDelivery implements AsyncDisposable {
  readonly #options: DeliveryOptions;
  readonly #log: Log;
  #waiting: SealedPayload | undefined;
  #working: Promise<void> | undefined;
  #script: RunningScript | undefined;
  #isClosed = false;

  private constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#log = options.log;
  }

  /** Ready to deliver, with nothing left of interrupted deliveries. */
  static async open(options: DeliveryOptions): Promise<PayloadDelivery> {
    const { config, place, log } = options;
    if (config.deployment === "refused") {
      log.warn(REFUSED);
    } else if (place.kind === "unavailable") {
      log.warn(
        `Payloads will be refused, attestation goes on: ${place.reason}`,
      );
    }
    if (place.kind === "ready") {
      try {
        await new UnzippedDirectory(place.mount, log).tidy();
      } catch (error) {
        log.error(`Cannot remove what a delivery left: ${describe(error)}`);
      }
    }
    return new PayloadDelivery(options);
  }

  /**
   * Has `sealed` delivered when its turn comes. Only the newest that waits
   * counts: the ones before it would be replaced at once.
   */
  enqueue(sealed: SealedPayload): void {
    if (this.#waiting !== undefined) {
      this.#log.info("A payload that waited is replaced by a newer one");
      this.#waiting.key.wipe();
    }
    this.#waiting = sealed;
    this.#working ??= this.#work();
  }

  /** Resolves when nothing waits and no script runs. */
  async idle(): Promise<void> {
    while (this.#working !== undefined || this.#script !== undefined) {
      await this.#working;
      await this.#script?.ended;
    }
  }

  /** Ends the script, and resolves when all work has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#waiting?.key.wipe();
    this.#waiting = undefined;
    this.#script?.stop.abort();
    await this.idle();
  }

  async #work(): Promise<void> {
    while (this.#waiting !== undefined) {
      const { key, payload } = this.#waiting;
      this.#waiting = undefined;
      try {
        await this.#deliver(key, payload);
      } catch (error) {
        this.#log.error(`The payload is refused: ${describe(error)}`);
      } finally {
        key.wipe();
      }
    }
    this.#working = undefined;
  }

  async #deliver(
    key: Secret,
    payload: Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    const { config, place } = this.#options;
    if (config.deployment === "refused") {
      this.#log.warn(REFUSED);
      return;
    }
    if (place.kind === "unavailable") {
      throw new PayloadError("mount", place.reason);
    }
    const unzipped = new UnzippedDirectory(place.mount, this.#log);
    await place.mount.verify();
    const plain = await decryptPayload(payload, key);
    this.#log.debug("The payload is decrypted");
    const isArchive = isZip(plain);
    const entries = await this.#entriesOf(plain, key, await unzipped.room());
    this.#log.debug("The payload is unpacked in memory");
    if (this.#isClosed) return;
    this.#script?.stop.abort();
    await this.#script?.ended;
    try {
      await unzipped.replace(entries);
    } finally {
      for (const { content } of entries) content?.fill(0);
    }
    this.#log.info(`The payload is in ${unzipped.path}`);
    await this.#makeActionsExecutable(unzipped);
    await this.#notify();
    await this.#startScript(unzipped, isArchive);
  }

  /** All files of the delivery: key, payload, and what is in the payload. */
  async #entriesOf(
    plain: Uint8Array<ArrayBuffer>,
    key: Secret,
    room: number,
  ): Promise<UnpackedEntry[]> {
    const { keyName, fileName, archives } = this.#options.config;
    if (keyName === "" || fileName === "" || keyName === fileName) {
      throw new PayloadError(
        "option",
        `Options "enc_keyname" and "dec_payload_file" are ${quoted(keyName)} ` +
          `and ${quoted(fileName)}; they must name two files`,
      );
    }
    const files: UnpackedEntry[] = [
      { path: keyName, mode: 0o600, content: key.use((k) => k.slice()) },
      { path: fileName, mode: 0o600, content: plain },
    ];
    if (archives === "keep") return files;
    if (!isZip(plain)) {
      this.#log.warn(
        `The payload is no zip file; it is kept as ${quoted(fileName)} and ` +
          "no script is run",
      );
      return files;
    }
    const entries = await unpack(plain, {
      room: room - plain.length,
      reserved: [keyName, fileName],
    });
    return [...files, ...entries];
  }

  async #notify(): Promise<void> {
    try {
      await this.#options.onDelivered();
    } catch (error) {
      this.#log.error(`After the delivery of a payload: ${describe(error)}`);
    }
  }

  /** Actions made by Python's `zipfile` have mode 0600, so this is needed. */
  async #makeActionsExecutable(unzipped: UnzippedDirectory): Promise<void> {
    let text: string;
    try {
      const path = join(unzipped.path, ACTION_LIST);
      const { size, isFile } = await Deno.lstat(path);
      if (!isFile || size > ACTION_LIST_MAX) {
        throw new TypeError(
          `It is no file of at most ${ACTION_LIST_MAX} bytes`,
        );
      }
      text = await Deno.readTextFile(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      this.#log.warn(
        `Cannot read ${ACTION_LIST} of the payload: ${describe(error)}`,
      );
      return;
    }
    try {
      for (const name of parseList(text)) {
        if (!await unzipped.makeExecutable(name)) {
          this.#log.debug(
            `${ACTION_LIST} names ${quoted(name)}, which is no file of the ` +
              "payload",
          );
        }
      }
    } catch (error) {
      this.#log.warn(
        `The payload's ${ACTION_LIST} is no list: ${describe(error)}`,
      );
    }
  }

  /**
   * Runs the script, if there is one, beside the queue: a payload that comes
   * meanwhile ends it. Before it, and not only after it as upstream does, the
   * payload's revocation actions work: it may take for ever.
   */
  async #startScript(
    unzipped: UnzippedDirectory,
    isArchive: boolean,
  ): Promise<void> {
    const { script, archives, scriptTimeLimitMs } = this.#options.config;
    if (script === undefined || this.#isClosed) return;
    if (archives === "extract" && !isArchive) return;
    if (!await unzipped.makeExecutable(script)) {
      this.#log.info(`The payload has no script ${quoted(script)} to run`);
      return;
    }
    const stop = new AbortController();
    const run = async (): Promise<void> => {
      try {
        await runPayloadScript({
          directory: unzipped.path,
          name: script,
          timeLimitMs: scriptTimeLimitMs,
          signal: stop.signal,
        }, this.#log);
        if (stop.signal.aborted) return;
        await this.#makeActionsExecutable(unzipped);
        await this.#notify();
      } catch (error) {
        this.#log.error(`Cannot run the payload script: ${describe(error)}`);
      } finally {
        this.#script = undefined;
      }
    };
    this.#script = { stop, ended: run() };
  }
}
