import { decodeCertificates, encodePem } from "../crypto/pem.ts";
import { describe, type Log } from "../log/log.ts";

/**
 * The CA certificates in `paths`, each as PEM, whose clients are served
 * (contract section 6.1). A file that cannot be used is told and left out;
 * with none left the agent serves nobody, and that is told too.
 */
export async function readTrustedCa(
  paths: readonly string[],
  log: Log,
): Promise<string[]> {
  const certificates: string[] = [];
  for (const path of paths) {
    try {
      const found = decodeCertificates(await Deno.readTextFile(path));
      if (found.length === 0) throw new Error("it holds no PEM certificate");
      certificates.push(
        ...found.map((der) => encodePem("CERTIFICATE", der)),
      );
    } catch (error) {
      log.warn(
        `Option "trusted_client_ca" names ${path}, which cannot be used: ${
          describe(error)
        }`,
      );
    }
  }
  if (certificates.length === 0) {
    log.error(
      "No CA certificate of the verifier and tenant could be read, so every " +
        'client will be refused; put it where option "trusted_client_ca" ' +
        "says and restart the agent",
    );
  }
  return certificates;
}
