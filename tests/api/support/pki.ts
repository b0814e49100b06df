/**
 * Throw-away certificate authorities and certificates, made by OpenSSL: the
 * same library that Keylime's verifier and tenant use.
 *
 * @module
 */

/** A certificate and its private key: paths for programs, PEM text for code. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
  readonly certificatePath: string;
  readonly keyPath: string;
}

/** Choices for {@linkcode Pki.issue}. */
export interface Leaf {
  /** Distinguished name, as `/CN=client`. */
  readonly subject: string;
  /** Extensions in OpenSSL's configuration syntax. */
  readonly extensions?: string;
  /** Whether its validity ended years ago. */
  readonly expired?: boolean;
  /** Arguments for the key; RSA-2048 without. */
  readonly keyArguments?: readonly string[];
}

/** Key arguments for a P-256 key. */
export const P256 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const RSA_2048 = ["-newkey", "rsa:2048"];

const CA_CONFIG = `
[ca]
default_ca = only
[only]
database = index.txt
new_certs_dir = .
default_md = sha256
rand_serial = yes
unique_subject = no
policy = any
[any]
commonName = supplied
`;

/** A temporary directory of certificates, removed at disposal. */
export class Pki implements AsyncDisposable {
  readonly #folder: string;
  #count = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** An empty one. */
  static async create(): Promise<Pki> {
    const folder = await Deno.makeTempDir({ prefix: "pki-" });
    await Deno.writeTextFile(`${folder}/ca.cnf`, CA_CONFIG);
    await Deno.writeTextFile(`${folder}/index.txt`, "");
    return new Pki(folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }

  /** A self-signed certificate; a CA, if `extensions` says nothing else. */
  async selfSigned(
    subject: string,
    keyArguments: readonly string[] = RSA_2048,
  ): Promise<Identity> {
    const name = this.#name();
    await this.#openssl(
      ["req", "-x509", "-nodes", "-days", "2", "-subj", subject],
      [...keyArguments, "-keyout", `${name}.key`, "-out", `${name}.pem`],
    );
    return await this.#read(name);
  }

  /** A certificate signed by `issuer`. */
  async issue(issuer: Identity, leaf: Leaf): Promise<Identity> {
    const name = this.#name();
    await this.#openssl(
      ["req", "-nodes", "-subj", leaf.subject],
      leaf.keyArguments ?? RSA_2048,
      ["-keyout", `${name}.key`, "-out", `${name}.csr`],
    );
    await Deno.writeTextFile(
      `${this.#folder}/${name}.ext`,
      leaf.extensions ?? "basicConstraints=CA:FALSE",
    );
    await this.#openssl(
      ["ca", "-batch", "-notext", "-config", "ca.cnf"],
      ["-cert", issuer.certificatePath, "-keyfile", issuer.keyPath],
      ["-in", `${name}.csr`, "-out", `${name}.pem`],
      ["-extfile", `${name}.ext`],
      leaf.expired === true
        ? ["-startdate", "20200101000000Z", "-enddate", "20210101000000Z"]
        : ["-days", "2"],
    );
    return await this.#read(name);
  }

  #name(): string {
    return `identity-${++this.#count}`;
  }

  async #read(name: string): Promise<Identity> {
    const certificatePath = `${this.#folder}/${name}.pem`;
    const keyPath = `${this.#folder}/${name}.key`;
    return {
      certificatePath,
      keyPath,
      certificate: await Deno.readTextFile(certificatePath),
      key: await Deno.readTextFile(keyPath),
    };
  }

  async #openssl(...args: (readonly string[])[]): Promise<void> {
    const { success, stderr } = await new Deno.Command("openssl", {
      args: args.flat(),
      cwd: this.#folder,
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  }
}

/** What `openssl s_client` received above TLS. */
export interface Received {
  /** Every byte of application data, as text. */
  readonly text: string;
  /** Alerts and errors that it reports. */
  readonly errors: string;
}

/** Sends `request` to a TLS server by `openssl s_client`, and waits for the end. */
export async function sendOverTls(
  port: number,
  request: string,
  options: {
    readonly version: "1.2" | "1.3";
    readonly identity?: Identity | undefined;
    /** More arguments for s_client. */
    readonly extra?: readonly string[];
  },
): Promise<Received> {
  const { version, identity, extra = [] } = options;
  const child = new Deno.Command("openssl", {
    args: [
      ["s_client", "-quiet", "-connect", `127.0.0.1:${port}`],
      [version === "1.2" ? "-tls1_2" : "-tls1_3"],
      identity === undefined
        ? []
        : ["-cert", identity.certificatePath, "-key", identity.keyPath],
      extra,
    ].flat(),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // Ends with the connection, not with the input: -quiet means -ign_eof.
  await writer.write(new TextEncoder().encode(request)).catch(() => {});
  await writer.close().catch(() => {});
  const { stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { text: decoder.decode(stdout), errors: decoder.decode(stderr) };
}
