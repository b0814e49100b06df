/**
 * Addresses of peers: what counts as one, and how it is written in a URL.
 * Contract section 1.3.
 *
 * @module
 */

import { isIPv4, isIPv6 } from "node:net";

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;

/**
 * The address in `text`, brackets removed: an IPv4 or IPv6 address (without
 * a zone) or a host name of RFC 1123. Undefined for anything else, a dotted
 * number that is no IPv4 address among it.
 */
export function parseHost(text: string): string | undefined {
  const bare = /^\[(.*)\]$/s.exec(text)?.[1];
  const address = bare ?? text;
  if (isIPv4(address) || (isIPv6(address) && !address.includes("%"))) {
    return address;
  }
  return bare === undefined && isHostName(text) ? text : undefined;
}

function isHostName(text: string): boolean {
  const labels = text.split(".");
  return text.length <= 253 && labels.every((label) => LABEL.test(label)) &&
    !/^\d+$/.test(labels.at(-1) ?? "");
}

/** `host` as the authority of a URL: an IPv6 address gets its brackets. */
export function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}
