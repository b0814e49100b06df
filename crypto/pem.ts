/**
 * PEM text (RFC 7468) and the older form with headers (RFC 1421).
 *
 * @module
 */

/** One `-----BEGIN label-----` block. */
export interface PemBlock {
  /** What the block says it holds, e.g. `CERTIFICATE`. */
  readonly label: string;
  /** The block alone, with LF line ends and a final one. */
  readonly text: string;
  /** The decoded body; ciphertext when {@linkcode PemBlock.isEncrypted}. */
  readonly der: Uint8Array<ArrayBuffer>;
  /** Whether a pass phrase is needed to make sense of it. */
  readonly isEncrypted: boolean;
}

/** `der` as a PEM block: lines of 64 characters and a final newline. */
export function encodePem(label: string, der: Uint8Array): string {
  const lines = der.toBase64().match(/.{1,64}/g) ?? [];
  return [
    `-----BEGIN ${label}-----`,
    ...lines,
    `-----END ${label}-----`,
    "",
  ].join("\n");
}

/**
 * Every PEM block of `text`, in order; text around the blocks is skipped.
 * Throws SyntaxError for a block that does not end or is not base64.
 */
export function decodePem(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  let label: string | undefined;
  let body: string[] = [];
  for (const line of text.split(/\r\n|\n|\r/).map((line) => line.trim())) {
    if (label === undefined) {
      label = /^-----BEGIN ([A-Z0-9 ]+)-----$/.exec(line)?.[1];
      body = [];
    } else if (line === `-----END ${label}-----`) {
      blocks.push(blockOf(label, body));
      label = undefined;
    } else {
      body.push(line);
    }
  }
  if (label !== undefined) {
    throw new SyntaxError(`PEM block "${label}" has no END line`);
  }
  return blocks;
}

/**
 * The DER of every certificate in `text`, in order. Throws SyntaxError like
 * {@linkcode decodePem}.
 */
export function decodeCertificates(text: string): Uint8Array<ArrayBuffer>[] {
  return decodePem(text)
    .filter(({ label }) => /^(X509 )?CERTIFICATE$/.test(label))
    .map(({ der }) => der);
}

function blockOf(label: string, body: readonly string[]): PemBlock {
  const headers = body[0]?.includes(":")
    ? body.slice(0, Math.max(0, body.indexOf("")))
    : [];
  const base64 = body.slice(headers.length).join("");
  let der: Uint8Array<ArrayBuffer>;
  try {
    der = Uint8Array.fromBase64(base64, { lastChunkHandling: "strict" });
  } catch (cause) {
    throw new SyntaxError(`PEM block "${label}" is not valid base64`, {
      cause,
    });
  }
  return {
    label,
    text: [`-----BEGIN ${label}-----`, ...body, `-----END ${label}-----`, ""]
      .join("\n"),
    der,
    isEncrypted: label === "ENCRYPTED PRIVATE KEY" ||
      headers.some((line) => /^Proc-Type:.*ENCRYPTED/.test(line)),
  };
}
