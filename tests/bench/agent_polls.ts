/**
 * Polls of a running agent, as a verifier makes them.
 *
 * @module
 */

import type { LabAgent } from "../lab/agent.ts";
import type { Lab } from "../lab/lab.ts";
import type { Machine, MachineAgentOptions } from "../lab/machine.ts";
import { trustedClient } from "../lab/trusted_client.ts";

/** What a verifier asks for. */
export interface PollRequest {
  readonly nonce: string;
  /** First entry of the list that it wants. */
  readonly entry: number;
}

/** Nonces of the whole run. */
let nonces = 0;

/** A nonce that was not used before. */
export function newNonce(): string {
  return `nonce${String(++nonces).padStart(15, "0")}`;
}

/** An agent that runs, and does not log each request. */
export async function runningAgent(
  lab: Lab,
  machine: Machine,
  { options = {}, env = {} }: MachineAgentOptions = {},
): Promise<LabAgent> {
  const agent = await machine.agent(lab.keylime, {
    options,
    // As in the unit.
    env: { RUST_LOG: "keylime_agent=info", MALLOC_ARENA_MAX: "1", ...env },
  });
  await agent.start();
  return agent;
}

/** A verifier with a connection that it keeps until it is told. */
export class Poller implements Disposable {
  readonly #lab: Lab;
  readonly #agent: LabAgent;
  #client: Deno.HttpClient;

  private constructor(lab: Lab, agent: LabAgent, client: Deno.HttpClient) {
    this.#lab = lab;
    this.#agent = agent;
    this.#client = client;
  }

  /** One that trusts `agent`. */
  static async of(lab: Lab, agent: LabAgent): Promise<Poller> {
    const client = await trustedClient(lab.keylime, agent);
    return new Poller(lab, agent, client);
  }

  /** Gives up the connection, so that the next request needs a new one. */
  async reconnect(): Promise<void> {
    this.#client.close();
    this.#client = await trustedClient(this.#lab.keylime, this.#agent);
  }

  /** Asks for `path`. */
  async get(path: string): Promise<Response> {
    const url = `https://127.0.0.1:${this.#agent.port}/${path}`;
    return await fetch(url, { client: this.#client });
  }

  /** Asks for a quote and the list; the answer is unread. */
  async ask({ nonce, entry }: PollRequest): Promise<Response> {
    return await this.get(
      `v2.6/quotes/integrity?nonce=${nonce}&mask=0x400&partial=1` +
        `&ima_ml_entry=${entry}`,
    );
  }

  /**
   * A whole poll. Returns how many entries came.
   *
   * @throws Error if the quote is not over the nonce, or the list does not
   * begin where it was asked to
   */
  async poll(request: PollRequest): Promise<number> {
    const response = await this.ask(request);
    const { results } = await response.json();
    const attest = atob(results.quote.slice(1).split(":")[0]);
    if (!attest.includes(request.nonce)) {
      throw new Error("A quote is over another nonce");
    }
    if (results.ima_measurement_list_entry !== request.entry) {
      throw new Error(
        `The list begins at ${results.ima_measurement_list_entry}, ` +
          `not at ${request.entry}`,
      );
    }
    return results.ima_measurement_list.split("\n").length - 1;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
