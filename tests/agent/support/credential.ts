/**
 * The registrar's challenge, made by tpm2-tools without the TPM.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { decode, publicKeyOf, TPMT_PUBLIC } from "../../../tpm/mod.ts";
import { runOk } from "../../lab/command.ts";
import type { BareTpm } from "./bare_tpm.ts";

/** A credential with `secret` for the keys in a registration's `body`. */
export async function makeCredential(
  lab: BareTpm,
  { body, secret }: { readonly body: string; readonly secret: string },
): Promise<string> {
  const { aik_tpm, ek_tpm } = JSON.parse(body);
  const [ak, ek] = [aik_tpm, ek_tpm].map((text) =>
    Uint8Array.fromBase64(text).subarray(2)
  ) as [Uint8Array, Uint8Array];
  const name = `000b${createHash("sha256").update(ak).digest("hex")}`;
  const key = publicKeyOf(decode(TPMT_PUBLIC, ek));
  const pem = key.export({ type: "spki", format: "pem" }).toString();
  await Deno.writeTextFile(lab.path("ek.pem"), pem);
  await Deno.writeTextFile(lab.path("secret.txt"), secret);
  const algorithm = key.asymmetricKeyType === "rsa" ? "rsa" : "ecc";
  await runOk([
    ...["tpm2_makecredential", "-T", "none", "-G", algorithm, "-n", name],
    ...["-u", lab.path("ek.pem"), "-s", lab.path("secret.txt")],
    ...["-o", lab.path("credential.bin")],
  ]);
  return (await Deno.readFile(lab.path("credential.bin"))).toBase64();
}
