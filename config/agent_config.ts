/**
 * The agent's configuration as the rest of the agent sees it: resolved,
 * checked, and without a state that makes no sense.
 *
 * @module
 */

import type { EncryptionAlg, HashAlg, SigningAlg } from "./algorithms.ts";
import type { ApiVersion } from "./api_versions.ts";

/** An address to listen on or to connect to. */
export interface Endpoint {
  /** An IPv4 or IPv6 address without brackets, or a host name. */
  readonly ip: string;
  /** A TCP port, 1 to 65535. */
  readonly port: number;
}

/** A private key file and the pass phrase it has or gets; empty for none. */
export interface KeyFile {
  /** Absolute path of the PEM file, which need not exist yet. */
  readonly path: string;
  /** The pass phrase; empty for an unencrypted file. */
  readonly password: string;
}

/** How the agent gets its identity. */
export type UuidSource =
  | { readonly kind: "literal"; readonly value: string }
  | { readonly kind: "generate" }
  | { readonly kind: "hash_ek" };

/** The registrar and how to speak to it. */
export interface RegistrarConfig extends Endpoint {
  /** Whether TLS is spoken; plain text goes to `port` above. */
  readonly tls:
    | { readonly kind: "plaintext" }
    | {
      readonly kind: "tls";
      readonly port: number;
      readonly caCertificate: string;
    };
  /** How failed requests are repeated. Contract section 4.5. */
  readonly backoff: {
    readonly initialDelayMs: number;
    readonly maxDelayMs: number;
    readonly maxRetries: number;
  };
}

/** The TPM's keys and algorithms. */
export interface TpmConfig {
  /** The hash of quotes and names, and the PCR bank. */
  readonly hashAlg: HashAlg;
  /** The key type of both the endorsement and the attestation key. */
  readonly encryptionAlg: EncryptionAlg;
  /** The attestation key's scheme; it matches `encryptionAlg`. */
  readonly signingAlg: SigningAlg;
  /** Whether the endorsement key is created or already in the TPM. */
  readonly ekHandle:
    | { readonly kind: "generate" }
    | { readonly kind: "persistent"; readonly handle: number };
  /** Where in the TPM the attestation key is kept; undefined for nowhere. */
  readonly akHandle: number | undefined;
  /** The endorsement and the owner hierarchy's authorization value. */
  readonly ownerPassword: Uint8Array;
}

/** What becomes of a payload. Contract section 8.4. */
export interface PayloadConfig {
  /** Whether payloads are run, which needs mTLS or the explicit wish. */
  readonly deployment: "allowed" | "refused";
  /** The `size` option of the secure tmpfs. */
  readonly secureSize: string;
  /** File name for the key under `secure/unzipped`; empty fails the run. */
  readonly keyName: string;
  /** File name for the decrypted payload; empty fails the run. */
  readonly fileName: string;
  /** What happens to a payload that is a zip. */
  readonly archives: "extract" | "keep";
  /** The script under `secure/unzipped` to run, if any. */
  readonly script: string | undefined;
  /** Milliseconds after which the script is ended; 0 for no limit. */
  readonly scriptTimeLimitMs: number;
}

/** How revocations arrive and what they start. Contract section 9. */
export interface RevocationConfig {
  /** The ways by which revocations arrive. */
  readonly notifications:
    | { readonly kind: "rest" }
    | ({ readonly kind: "rest_and_zeromq" } & Endpoint);
  /** Absolute path of the certificate that messages are checked with. */
  readonly certificate: string;
  /** Names of the executables to run, in order. */
  readonly actions: readonly string[];
  /** Directory of pre-installed actions; undefined for none. */
  readonly actionsDir: string | undefined;
  /** Whether actions that came with a payload may run. */
  readonly payloadActions: "allowed" | "refused";
  /** Milliseconds after which an action is ended; 0 for no limit. */
  readonly actionTimeLimitMs: number;
}

/** A device identity key: where it is and what certifies it. */
export interface IdentityKeyConfig {
  /** The handle of the persistent key; undefined to recreate it. */
  readonly handle: number | undefined;
  /** The key's authorization value; empty for none. */
  readonly password: Uint8Array;
  /** Absolute path of its certificate; undefined for none. */
  readonly certificate: string | undefined;
}

/** What the device identity keys are made from. Contract section 3.7. */
export type IdentityTemplate =
  | { readonly kind: "detect" }
  | {
    readonly kind: "fixed";
    readonly id: "H-1" | "H-2" | "H-3" | "H-4" | "H-5";
  }
  | {
    readonly kind: "manual";
    readonly asymmetricAlg: "rsa" | "ecc";
    readonly nameAlg: "sha256" | "sha384" | "sha512";
  };

/** Whether and how the device's identity is proven. */
export type IakIdevidConfig =
  | { readonly kind: "disabled" }
  | {
    readonly kind: "enabled";
    readonly template: IdentityTemplate;
    readonly iak: IdentityKeyConfig;
    readonly idevid: IdentityKeyConfig;
  };

/** The whole configuration; frozen. */
export interface AgentConfig {
  /** The working directory, absolute, links resolved; it existed at start. */
  readonly keylimeDir: string;
  /** The agent's identity. */
  readonly uuid: UuidSource;
  /** Where the agent serves. */
  readonly listen: Endpoint;
  /** What the registrar is told. */
  readonly contact: Endpoint;
  /** Where the agent registers. */
  readonly registrar: RegistrarConfig;
  /** At least one, ascending. */
  readonly apiVersions: readonly ApiVersion[];
  /** How clients are authenticated; CA files as absolute paths, never none. */
  readonly mtls:
    | { readonly kind: "mtls"; readonly trustedClientCa: readonly string[] }
    | { readonly kind: "disabled" };
  /** The server's private key. Contract section 2.4. */
  readonly serverKey: KeyFile;
  /** Absolute path of the server's certificate. Contract section 2.4. */
  readonly serverCertificate: string;
  /** The RSA key that shares of payload keys are sent to. */
  readonly payloadKey: KeyFile;
  /** The TPM's keys and algorithms. */
  readonly tpm: TpmConfig;
  /** Whom to become; undefined when nothing is to be dropped. */
  readonly runAs: { readonly user: string; readonly group: string } | undefined;
  /** Absolute path of `agent_data.json`. Contract section 2.3. */
  readonly agentDataPath: string;
  /** Absolute path of the IMA measurement list. */
  readonly imaLogPath: string;
  /** Absolute path of the measured boot event log. */
  readonly bootLogPath: string;
  /** What becomes of a payload. */
  readonly payload: PayloadConfig;
  /** How revocations arrive and what they start. */
  readonly revocation: RevocationConfig;
  /** Whether and how the device's identity is proven. */
  readonly iakIdevid: IakIdevidConfig;
  /** Sentences to log as warnings. */
  readonly warnings: readonly string[];
  /** Lines to log at level debug, one for each overriding variable. */
  readonly environment: readonly string[];
}
