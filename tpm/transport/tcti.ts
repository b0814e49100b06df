import { openDevice } from "./device.ts";
import { connectSwtpm, type SwtpmAddress } from "./swtpm.ts";
import type { Transport } from "./transport.ts";

/** How to reach a TPM. */
export type Tcti =
  | { readonly kind: "device"; readonly path: string }
  | { readonly kind: "swtpm"; readonly address: SwtpmAddress };

/** `TCTI` names no transport that this program has. */
export class TctiError extends Error {
  /** The class's name, also after bundling. */
  override readonly name = "TctiError";
}

/** Where swtpm listens unless told otherwise. */
const SWTPM_DEFAULT = { host: "127.0.0.1", port: "2321" } as const;

function refuse(text: string): TctiError {
  return new TctiError(
    `Environment variable TCTI is ${JSON.stringify(text.slice(0, 100))}; ` +
      'accepted are "device:/dev/tpmrm0", "swtpm:host=HOST,port=PORT" and ' +
      '"swtpm:path=SOCKET"',
  );
}

function parseSwtpm(text: string, options: string): Tcti {
  const given = new Map<string, string>();
  for (const option of options === "" ? [] : options.split(",")) {
    const [key = "", value] = option.split(/=(.*)/s, 2);
    const isKnown = ["host", "port", "path"].includes(key);
    if (!isKnown || !value || given.has(key)) throw refuse(text);
    given.set(key, value);
  }
  const path = given.get("path");
  if (path !== undefined) {
    if (given.size > 1) throw refuse(text);
    return { kind: "swtpm", address: { transport: "unix", path } };
  }
  const digits = given.get("port") ?? SWTPM_DEFAULT.port;
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > 65535) throw refuse(text);
  const hostname = given.get("host") ?? SWTPM_DEFAULT.host;
  return { kind: "swtpm", address: { transport: "tcp", hostname, port } };
}

/**
 * The transport that `text` names, in the syntax of tpm2-tss (contract section
 * 3.1): `device[:PATH]`, `swtpm[:host=HOST,port=PORT]` or `swtpm:path=SOCKET`.
 * Throws TctiError for anything else.
 */
export function parseTcti(text: string): Tcti {
  const [kind, rest = ""] = text.split(/:(.*)/s, 2);
  if (kind === "device") return { kind, path: rest || "/dev/tpmrm0" };
  if (kind === "swtpm") return parseSwtpm(text, rest);
  throw refuse(text);
}

/** Opens what `tcti` names. Throws TransportError if that fails. */
export function openTransport(tcti: Tcti): Promise<Transport> {
  return tcti.kind === "device"
    ? openDevice(tcti.path)
    : connectSwtpm(tcti.address);
}
