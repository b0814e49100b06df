/**
 * Asks the agent in the virtual machine for quotes as a verifier does, but on
 * one connection and without looking at them.
 *
 * @module
 */

import { Agent, request } from "node:https";
import { text } from "node:stream/consumers";
import type { AttestedMachine } from "./attested_machine.ts";

/** The PCR that has the kernel's measurements. */
export const IMA_PCR = 0x400;

/** A verifier's place, taken by a test. */
export class QuoteClient implements Disposable {
  readonly #agent: Agent;
  readonly #url: string;
  #quotes = 0;
  #entries = 0;

  private constructor(agent: Agent, url: string) {
    this.#agent = agent;
    this.#url = url;
  }

  /** A client with the verifier's certificate. */
  static async open(
    { lab, machine }: AttestedMachine,
  ): Promise<QuoteClient> {
    const { clientCertificate, clientKey } = lab.keylime.certificates;
    const agent = new Agent({
      keepAlive: true,
      maxSockets: 1,
      cert: await Deno.readTextFile(clientCertificate),
      key: await Deno.readTextFile(clientKey),
      rejectUnauthorized: false, // the verifier compares it with the registrar's
    });
    const url = `https://127.0.0.1:${machine.agentPort}/v2.6/quotes/integrity`;
    return new QuoteClient(agent, url);
  }

  /** Entries of the measurement list that it has been given. */
  get entries(): number {
    return this.#entries;
  }

  /** Gets a quote of the PCRs in `mask`, and of the list what is new. */
  async quote(mask = IMA_PCR): Promise<void> {
    const query = new URLSearchParams({
      nonce: `nonce${this.#quotes++}`,
      mask: `0x${mask.toString(16)}`,
      partial: "1",
      ima_ml_entry: String(this.#entries),
    });
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    request(`${this.#url}?${query}`, { agent: this.#agent }, (response) => {
      text(response).then(resolve, reject);
    }).on("error", reject).end();
    const { code, results } = JSON.parse(await promise);
    if (code !== 200) throw new Error(`The agent answers ${code}`);
    const list: string = results.ima_measurement_list ?? "";
    this.#entries += list.split("\n").length - 1;
  }

  /** Closes its connection. */
  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
