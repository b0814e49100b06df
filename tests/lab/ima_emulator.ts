/**
 * The kernel's IMA for a lab machine: keeps a measurement list in a file, as
 * `ascii_runtime_measurements` shows it, and extends PCR 10 for each entry.
 *
 * @module
 */

import {
  type Bank,
  type Bytes,
  digestOf,
  type ExtendPcr,
  filledPcr,
} from "./pcr_bank.ts";

/** The PCR that IMA measures into. */
export const IMA_PCR = 10;

/** How IMA is set up on a machine. */
export interface ImaEmulatorOptions {
  /** The list's file, which must not exist yet. */
  readonly file: string;
  /** Banks of the machine's TPM. */
  readonly banks: readonly Bank[];
  /** Extends its PCRs. */
  readonly extend: ExtendPcr;
  /** Digest of the list's first entry; see {@linkcode bootAggregate}. */
  readonly bootAggregate: ImaDigest;
}

/** A digest of a measured file, and by what algorithm. */
export interface ImaDigest {
  /** Its algorithm. */
  readonly algorithm: Bank;
  /** As many bytes as that gives. */
  readonly digest: Bytes;
}

/** The name that IMA gives its first entry. */
const BOOT_AGGREGATE = "boot_aggregate";

/** IMA on a running lab machine. */
export class ImaEmulator {
  /** The measurement list. */
  readonly file: string;
  readonly #banks: readonly Bank[];
  readonly #extend: ExtendPcr;
  #turn: Promise<void> = Promise.resolve();
  #entryCount = 0;

  private constructor(options: ImaEmulatorOptions) {
    this.file = options.file;
    this.#banks = options.banks;
    this.#extend = options.extend;
  }

  /** Begins the list with its `boot_aggregate` entry. */
  static async start(options: ImaEmulatorOptions): Promise<ImaEmulator> {
    await Deno.writeFile(options.file, new Uint8Array(), { createNew: true });
    const ima = new ImaEmulator(options);
    await ima.appendDigest(BOOT_AGGREGATE, options.bootAggregate);
    return ima;
  }

  /** Number of entries in the list, the first one included. */
  get entryCount(): number {
    return this.#entryCount;
  }

  /** Measures a file of that content at that path, by its SHA-256. */
  async append(path: string, content: string | Uint8Array): Promise<void> {
    const digest = digestOf("sha256", content);
    await this.appendDigest(path, { algorithm: "sha256", digest });
  }

  /** Measures a file of that digest at that path. */
  async appendDigest(path: string, digest: ImaDigest): Promise<void> {
    const template = imaNgTemplate(path, digest);
    await this.#add(
      imaNgLine(path, digest, digestOf("sha1", template)),
      (bank) => digestOf(bank, template),
    );
  }

  /**
   * Records a violation, such as a file that was open for writing when it was
   * measured: zeros in the list, ones in the PCR.
   */
  async violation(path: string): Promise<void> {
    const digest = new Uint8Array(20);
    await this.#add(
      imaNgLine(path, { algorithm: "sha1", digest }, new Uint8Array(20)),
      (bank) => filledPcr(bank, 0xff),
    );
  }

  /**
   * Appends the line, then extends, one entry after the other. The list may be
   * ahead of the PCR for a moment, never behind it, as with the kernel.
   */
  #add(line: string, digestFor: (bank: Bank) => Bytes): Promise<void> {
    const added = this.#turn.then(async () => {
      await Deno.writeTextFile(this.file, line, { append: true });
      this.#entryCount++;
      const digests = this.#banks.map((bank) =>
        [bank, digestFor(bank)] as const
      );
      await this.#extend(IMA_PCR, new Map(digests));
    });
    this.#turn = added.catch(() => {});
    return added;
  }
}

/**
 * The digest of IMA's first entry: over PCR 0 to 9 as they are when IMA starts
 * (in a SHA-1 list, 0 to 7), in the same bank. PCRs that nobody extended count
 * as zeros.
 */
export function bootAggregate(
  algorithm: Bank,
  pcrs: ReadonlyMap<number, Bytes>,
): ImaDigest {
  const last = algorithm === "sha1" ? 7 : 9;
  const values = Array.from(
    { length: last + 1 },
    (_, pcr) => pcrs.get(pcr) ?? filledPcr(algorithm),
  );
  return { algorithm, digest: digestOf(algorithm, ...values) };
}

/** The bytes that the template hash of an `ima-ng` entry is made over. */
export function imaNgTemplate(path: string, digest: ImaDigest): Bytes {
  const encoder = new TextEncoder();
  const fields = [
    [...encoder.encode(`${digest.algorithm}:\0`), ...digest.digest],
    [...encoder.encode(`${path}\0`)],
  ];
  return new Uint8Array(fields.flatMap((field) => {
    const size = new Uint8Array(4);
    new DataView(size.buffer).setUint32(0, field.length, true);
    return [...size, ...field];
  }));
}

function imaNgLine(
  path: string,
  { algorithm, digest }: ImaDigest,
  templateHash: Uint8Array,
): string {
  const hex = templateHash.toHex();
  return `${IMA_PCR} ${hex} ima-ng ${algorithm}:${digest.toHex()} ${path}\n`;
}
