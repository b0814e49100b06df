/**
 * A TPM manufacturer's certificate authority: what swtpm's tools issue
 * endorsement key certificates from, and what a tenant has to trust.
 *
 * @module
 */

import { runOk } from "./command.ts";
import { ensureLab } from "./tools.ts";

/** Kind of key a certificate authority signs with. */
export type CaKey = "rsa2048" | "p256";

const OPENSSL_KEY: Readonly<Record<CaKey, readonly string[]>> = {
  rsa2048: ["-newkey", "rsa:2048"],
  p256: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
};

/** A self-signed issuer of endorsement key certificates. */
export class EkCa {
  /** File with the issuer's certificate, in PEM, for a tenant's store. */
  readonly certificate: string;
  /** Configuration file of `swtpm_setup` that names this authority. */
  readonly setupConfig: string;
  readonly #localCaConfig: string;
  readonly #localCaOptions: string;

  private constructor(directory: string) {
    this.certificate = `${directory}/issuer.pem`;
    this.setupConfig = `${directory}/swtpm_setup.conf`;
    this.#localCaConfig = `${directory}/swtpm_localca.conf`;
    this.#localCaOptions = `${directory}/swtpm_localca.options`;
  }

  /** Makes a new authority, with its files in the new `directory`. */
  static async create(
    directory: string,
    options: { key?: CaKey; commonName?: string } = {},
  ): Promise<EkCa> {
    const { key = "rsa2048", commonName = "deno-keylime lab TPM maker" } =
      options;
    await ensureLab();
    await Deno.mkdir(directory);
    const ca = new EkCa(directory);
    const signingKey = `${directory}/issuer-private.pem`;
    const request = ["openssl", "req", "-x509", "-noenc", "-days", "3650"];
    await runOk([
      ...request,
      ...OPENSSL_KEY[key],
      ...["-subj", `/CN=${commonName}`],
      ...["-addext", "keyUsage=critical,keyCertSign,cRLSign"],
      ...["-keyout", signingKey, "-out", ca.certificate],
    ]);
    await Deno.writeTextFile(
      ca.#localCaConfig,
      `statedir = ${directory}
signingkey = ${signingKey}
issuercert = ${ca.certificate}
certserial = ${directory}/serial
`,
    );
    await Deno.writeTextFile(ca.#localCaOptions, "");
    const localCa = (await runOk(["which", "swtpm_localca"])).trim();
    await Deno.writeTextFile(
      ca.setupConfig,
      `create_certs_tool = ${localCa}
create_certs_tool_config = ${ca.#localCaConfig}
create_certs_tool_options = ${ca.#localCaOptions}
`,
    );
    return ca;
  }

  /**
   * A certificate, in DER, for the P-256 endorsement key with that SPKI, just
   * as `swtpm_setup` has them issued for the kinds of key it knows.
   */
  async issueP256(spki: Uint8Array): Promise<Uint8Array> {
    const point = spki.slice(-64);
    const x = point.slice(0, 32).toHex();
    const y = point.slice(32).toHex();
    const directory = await Deno.makeTempDir({ prefix: "deno-keylime-ek-" });
    try {
      await runOk([
        "swtpm_localca",
        ...["--type", "ek", "--ek", `x=${x},y=${y},id=secp256r1`],
        ...["--dir", directory, "--tpm2"],
        ...["--tpm-spec-family", "2.0", "--tpm-spec-level", "0"],
        ...["--tpm-spec-revision", "164"],
        ...["--tpm-manufacturer", "id:00001014", "--tpm-model", "swtpm"],
        ...["--tpm-version", "id:20191023"],
        ...["--configfile", this.#localCaConfig],
        ...["--optsfile", this.#localCaOptions],
      ]);
      return await Deno.readFile(`${directory}/ek.cert`);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  }
}
