/**
 * Asks the registrar at a port of 127.0.0.1 over TLS for its versions, and
 * prints how that went. Arguments: port, file with the trusted authority.
 *
 * @module
 */

import process from "node:process";
import { RegistrarClient } from "../../../agent/registrar_client.ts";
import { describe } from "../../../log/log.ts";

const [port, file = ""] = Deno.args;
const client = new RegistrarClient({
  ip: "127.0.0.1",
  port: Number(port),
  ca: await Deno.readTextFile(file),
});
try {
  const request = { method: "GET", path: "/version" } as const;
  const { status } = await client.send(request, new AbortController().signal);
  process.stdout.write(`answered ${status}\n`);
} catch (error) {
  process.stdout.write(`refused: ${describe(error)}\n`);
}
