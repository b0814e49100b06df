/**
 * A start with what an earlier one has left: the usual one.
 *
 * @module
 */

import type { ManagedTpm, Sent } from "./managed_tpm.ts";
import { startAgent, type StartedAgent } from "./start.ts";

/**
 * What a start with a kept key sends until it is registered; `look` sees the
 * agent then.
 */
export async function laterStart(
  place: ManagedTpm,
  options: readonly string[],
  look: (agent: StartedAgent) => Promise<unknown> = () => Promise.resolve(),
): Promise<readonly Sent[]> {
  {
    await using tpm = await place.client();
    await using agent = await startAgent(place.lab, { tpm, options });
    await agent.attester.identityQuote("first");
  }
  await using tpm = await place.client();
  await using started = new AsyncDisposableStack();
  let agent: StartedAgent | undefined;
  const sent = await place.during(async () => {
    agent = started.use(await startAgent(place.lab, { tpm, options }));
  });
  if (agent !== undefined) await look(agent);
  return sent;
}
