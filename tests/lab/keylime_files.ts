/**
 * The files and variables of one control plane.
 *
 * @module
 */

import {
  caConfig,
  type ConfigOverrides,
  type ControlPlanePlace,
  loggingConfig,
  registrarConfig,
  tenantConfig,
  verifierConfig,
} from "./keylime_config.ts";

/** Files that the verifier makes for itself and others. */
export interface ControlPlaneCertificates {
  /** The CA: what an agent has as `trusted_client_ca`. */
  readonly authority: string;
  /** Certificate of the verifier and tenant as clients. */
  readonly clientCertificate: string;
  /** The private key that goes with it. */
  readonly clientKey: string;
}

/** The files of the CA in that place. */
export function certificatesOf(
  place: ControlPlanePlace,
): ControlPlaneCertificates {
  const directory = `${place.workDirectory}/cv_ca`;
  return {
    authority: `${directory}/cacert.crt`,
    clientCertificate: `${directory}/client-cert.crt`,
    clientKey: `${directory}/client-private.pem`,
  };
}

/** Writes the configuration files of all its parts. */
export async function writeConfiguration(
  place: ControlPlanePlace,
  overrides: ConfigOverrides,
): Promise<void> {
  const files = {
    verifier: verifierConfig(place, overrides),
    registrar: registrarConfig(place, overrides),
    tenant: tenantConfig(place, overrides),
    ca: caConfig(),
    logging: loggingConfig(),
  };
  for (const [component, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${place.workDirectory}/${component}.conf`, text);
  }
}

/** The variables by which all programs of Keylime find that place. */
export function environmentOf(
  place: ControlPlanePlace,
): Record<string, string> {
  const env: Record<string, string> = {
    KEYLIME_DIR: place.workDirectory,
    PYTHONUNBUFFERED: "1",
  };
  for (
    const component of ["verifier", "registrar", "tenant", "ca", "logging"]
  ) {
    env[`KEYLIME_${component.toUpperCase()}_CONFIG`] =
      `${place.workDirectory}/${component}.conf`;
  }
  return env;
}
