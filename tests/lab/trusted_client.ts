/**
 * The verifier's place taken by the test, for requests that it does not send.
 *
 * @module
 */

import type { LabAgent } from "./agent.ts";
import type { ControlPlane } from "./keylime.ts";

/** A client with the verifier's certificate, trusting the agent's. */
export async function trustedClient(
  keylime: ControlPlane,
  agent: LabAgent,
): Promise<Deno.HttpClient> {
  const { clientCertificate, clientKey } = keylime.certificates;
  return Deno.createHttpClient({
    caCerts: [await Deno.readTextFile(`${agent.directory}/server-cert.crt`)],
    cert: await Deno.readTextFile(clientCertificate),
    key: await Deno.readTextFile(clientKey),
  });
}
