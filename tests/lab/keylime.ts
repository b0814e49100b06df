/**
 * Keylime's real control plane: registrar, verifier and tenant, with databases,
 * ports and certificates of its own, on loopback only. Several run side by
 * side; one serves any number of agents.
 *
 * @module
 */

import { type CommandOutput, run, runOk } from "./command.ts";
import {
  type ConfigOverrides,
  type ControlPlanePlace,
  type Options,
  overridingVariables,
} from "./keylime_config.ts";
import {
  certificatesOf,
  type ControlPlaneCertificates,
  environmentOf,
  writeConfiguration,
} from "./keylime_files.ts";
import type { RegistrarAgent, VerifierAgent } from "./keylime_records.ts";
import { KeylimeService } from "./keylime_service.ts";
import { freePorts } from "./ports.ts";
import { ensureLab, type LabTools } from "./tools.ts";

export type { RegistrarAgent, VerifierAgent };

/** The API version of the lab's own questions to Keylime. */
const API = "v2.6";

/** Has the verifier's CA and certificates made before any server starts. */
const GENERATE_CA =
  'from keylime import web_util; web_util.init_tls_dir("verifier")';

/** How a control plane differs from the lab's defaults. */
export interface ControlPlaneOptions extends ConfigOverrides {
  /** Certificates of the TPM makers it trusts: PEM files. */
  readonly trustedTpmMakers?: readonly string[];
}

/** A running registrar and verifier, and the tenant that goes with them. */
export class ControlPlane implements AsyncDisposable {
  /** Its verifier. */
  readonly verifier: KeylimeService;
  /** Its registrar. */
  readonly registrar: KeylimeService;
  /** Ports and directories. */
  readonly place: ControlPlanePlace;
  readonly #tools: LabTools;
  readonly #env: Readonly<Record<string, string>>;
  readonly #https: Deno.HttpClient;
  #isClosed = false;

  private constructor(
    tools: LabTools,
    place: ControlPlanePlace,
    client: Deno.HttpClient,
  ) {
    this.#tools = tools;
    this.place = place;
    this.#https = client;
    this.#env = environmentOf(place);
    this.verifier = this.#service(
      "keylime_verifier",
      () => this.#answers(this.#verifierUrl("agents")),
    );
    this.registrar = this.#service(
      "keylime_registrar",
      () => this.#answers(`http://127.0.0.1:${place.registrarPort}/version`),
    );
  }

  /** Starts one in the new `directory`; resolves when both servers answer. */
  static async start(
    directory: string,
    options: ControlPlaneOptions = {},
  ): Promise<ControlPlane> {
    const tools = await ensureLab();
    await Deno.mkdir(directory, { mode: 0o700 });
    const certificates = `${directory}/tpm_cert_store`;
    await Deno.mkdir(certificates);
    // Another process may take a port between our look and Keylime's.
    for (let attempt = 1;; attempt++) {
      const place = {
        workDirectory: directory,
        tpmCertStore: certificates,
        verifierPort: freePorts(),
        registrarPort: freePorts(),
        registrarTlsPort: freePorts(),
      };
      try {
        return await ControlPlane.#start(tools, place, options);
      } catch (error) {
        const isTaken = String(error).includes("Address already in use");
        if (!isTaken || attempt === 3) throw error;
      }
    }
  }

  static async #start(
    tools: LabTools,
    place: ControlPlanePlace,
    options: ControlPlaneOptions,
  ): Promise<ControlPlane> {
    await using undo = new AsyncDisposableStack();
    await writeConfiguration(place, options);
    const env = environmentOf(place);
    await runOk([tools.python, "-c", GENERATE_CA], { env });
    const cvCa = certificatesOf(place);
    const client = Deno.createHttpClient({
      caCerts: [await Deno.readTextFile(cvCa.authority)],
      cert: await Deno.readTextFile(cvCa.clientCertificate),
      key: await Deno.readTextFile(cvCa.clientKey),
    });
    const controlPlane = undo.use(new ControlPlane(tools, place, client));
    for (const file of options.trustedTpmMakers ?? []) {
      await controlPlane.trustTpmMaker(file);
    }
    const starts = [controlPlane.verifier, controlPlane.registrar]
      .map((service) => service.start());
    await Promise.allSettled(starts);
    await Promise.all(starts);
    undo.move();
    return controlPlane;
  }

  #service(
    program: string,
    ready: () => Promise<boolean>,
  ): KeylimeService {
    return new KeylimeService({
      argv: [`${this.#tools.keylimeBin}/${program}`],
      process: {
        name: program,
        logFile: `${this.place.workDirectory}/${program}.log`,
        env: this.#env,
        cwd: this.place.workDirectory,
        ready,
      },
    });
  }

  /** Files of the verifier's CA and of the client that agents must trust. */
  get certificates(): ControlPlaneCertificates {
    return certificatesOf(this.place);
  }

  /** Makes the tenant and the registrar trust that issuer, a PEM file. */
  async trustTpmMaker(certificate: string): Promise<void> {
    const name = `${crypto.randomUUID()}.pem`; // only *.pem is looked at
    await Deno.copyFile(certificate, `${this.place.tpmCertStore}/${name}`);
  }

  /**
   * Runs `keylime_tenant` with `args` to its end, whatever that is.
   *
   * @param options overrides of tenant options for this run
   */
  async tenant(
    args: readonly string[],
    options: Options = {},
  ): Promise<CommandOutput> {
    return await run([`${this.#tools.keylimeBin}/keylime_tenant`, ...args], {
      env: { ...this.#env, ...overridingVariables("tenant", options) },
      cwd: this.place.workDirectory,
      timeoutMs: 120_000,
    });
  }

  /**
   * Encrypts `file` as an administrator does ahead of `-k` and `-p`: leaves
   * `content_keys.txt` and `content_payload.txt` in `directory`.
   */
  async encryptUserData(file: string, directory: string): Promise<void> {
    await runOk([`${this.#tools.keylimeBin}/keylime_userdata_encrypt`, file], {
      env: this.#env,
      cwd: directory,
    });
  }

  /**
   * What the tenant's command `-c cvstatus`, `status` or `regstatus` says of
   * an agent, or undefined when it ends in failure.
   */
  async tenantStatus(
    command: "status" | "cvstatus" | "regstatus",
    agent: string,
  ): Promise<Readonly<Record<string, unknown>> | undefined> {
    const { code, stdout } = await this.tenant(["-c", command, "-u", agent]);
    if (code !== 0) return undefined;
    const line = stdout.split("\n").findLast((line) => line.startsWith("{"));
    const status: Record<string, Record<string, unknown>> = JSON.parse(
      line ?? "{}",
    );
    return status[agent];
  }

  /** What the verifier knows of an agent; undefined when it does not know it. */
  async verifierAgent(agent: string): Promise<VerifierAgent | undefined> {
    return await this.#results(this.#verifierUrl(`agents/${agent}`));
  }

  /** What the registrar knows of an active agent, otherwise undefined. */
  async registrarAgent(agent: string): Promise<RegistrarAgent | undefined> {
    const { registrarTlsPort } = this.place;
    return await this.#results(
      `https://127.0.0.1:${registrarTlsPort}/${API}/agents/${agent}`,
    );
  }

  #verifierUrl(path: string): string {
    return `https://127.0.0.1:${this.place.verifierPort}/${API}/${path}`;
  }

  async #results<T>(url: string): Promise<T | undefined> {
    const response = await fetch(url, { client: this.#https });
    const body = await response.json();
    if (response.status === 404) return undefined;
    if (!response.ok) {
      throw new Error(`"${url}" answered ${response.status}: ${body.status}`);
    }
    return body.results;
  }

  async #answers(url: string): Promise<boolean> {
    try {
      const response = await fetch(url, { client: this.#https });
      await response.body?.cancel();
      return response.ok;
    } catch (error) {
      if (error instanceof TypeError) return false; // nobody listens yet
      throw error;
    }
  }

  /** Stops both servers. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#https.close();
    await Promise.all([this.verifier.stop(), this.registrar.stop()]);
  }
}
