/**
 * Firmware event logs as the TCG PC Client Platform Firmware Profile has them:
 * the crypto-agile form and the older one with SHA-1 alone. Enough to boot a
 * lab machine by: extend what the log says was extended.
 *
 * @module
 */

import {
  type Bank,
  type Bytes,
  DIGEST_SIZES,
  digestOf,
  type ExtendPcr,
  filledPcr,
} from "./pcr_bank.ts";

const BANK_OF_ALGORITHM: ReadonlyMap<number, Bank> = new Map([
  [0x0004, "sha1"],
  [0x000b, "sha256"],
  [0x000c, "sha384"],
  [0x000d, "sha512"],
]);

/** Events of this type tell something; they are never extended. */
const EV_NO_ACTION = 0x00000003;

const SPEC_ID = "Spec ID Event03\0";
const STARTUP_LOCALITY = "StartupLocality\0";

/** Far above any real log (the largest known has 160 kB). */
const LARGEST_LOG = 16 * 1024 * 1024;

/** One event as the log has it. */
export interface BootEvent {
  /** The PCR it was extended into. */
  readonly pcr: number;
  /** TCG event type, such as 0x80000003 for a boot application. */
  readonly type: number;
  /** By bank. */
  readonly digests: ReadonlyMap<Bank, Bytes>;
  /** What the event tells of itself; often what was measured. */
  readonly data: Bytes;
}

/** Final PCR values: by bank, then by PCR, for those the log touches. */
export type PcrValues = ReadonlyMap<Bank, ReadonlyMap<number, Bytes>>;

/**
 * The events of a log, up to its padding of zeros or ones or its end. The
 * first event of a crypto-agile log, which describes the log, is among them.
 *
 * @throws RangeError when it is cut, damaged or no event log
 */
export function parseEventLog(log: Uint8Array): BootEvent[] {
  if (log.length > LARGEST_LOG) {
    throw new RangeError(`An event log of ${log.length} bytes is too large`);
  }
  const reader = new LogReader(log);
  const first = legacyEvent(reader);
  const banks = banksDeclaredBy(first);
  const events = [first];
  while (!reader.isAtPadding()) {
    const event = banks === undefined
      ? legacyEvent(reader)
      : agileEvent(reader, banks);
    events.push(event);
  }
  return events;
}

function legacyEvent(reader: LogReader): BootEvent {
  const pcr = reader.u32();
  const type = reader.u32();
  const digest = reader.bytes(DIGEST_SIZES.sha1);
  const data = reader.bytes(reader.u32());
  return { pcr, type, digests: new Map([["sha1", digest]]), data };
}

function agileEvent(
  reader: LogReader,
  banks: ReadonlyMap<number, number>,
): BootEvent {
  const pcr = reader.u32();
  const type = reader.u32();
  const count = reader.u32();
  if (count > banks.size) {
    throw new RangeError(
      `An event has ${count} digests in ${banks.size} banks`,
    );
  }
  const digests = new Map<Bank, Bytes>();
  for (let i = 0; i < count; i++) {
    const algorithm = reader.u16();
    const size = banks.get(algorithm);
    if (size === undefined) {
      throw new RangeError(`The log declares no algorithm ${algorithm}`);
    }
    const digest = reader.bytes(size);
    const bank = BANK_OF_ALGORITHM.get(algorithm);
    if (bank !== undefined) digests.set(bank, digest);
  }
  return { pcr, type, digests, data: reader.bytes(reader.u32()) };
}

/** Digest sizes by algorithm, or undefined in a log with SHA-1 alone. */
function banksDeclaredBy(
  first: BootEvent,
): ReadonlyMap<number, number> | undefined {
  if (first.type !== EV_NO_ACTION || !startsWith(first.data, SPEC_ID)) {
    return undefined;
  }
  const reader = new LogReader(first.data.subarray(SPEC_ID.length));
  reader.bytes(8); // platform class, version, errata, size of UINTN
  const count = reader.u32();
  const banks = new Map<number, number>();
  for (let i = 0; i < count; i++) {
    const algorithm = reader.u16();
    const size = reader.u16();
    const bank = BANK_OF_ALGORITHM.get(algorithm);
    if (bank !== undefined && DIGEST_SIZES[bank] !== size) {
      throw new RangeError(`The log declares ${bank} digests of ${size} bytes`);
    }
    banks.set(algorithm, size);
  }
  if (banks.size === 0) throw new RangeError("The log declares no algorithm");
  reader.bytes(reader.u8()); // vendor information
  return banks;
}

/**
 * Boots a machine by these events: extends what they say, in their order, in
 * those of its TPM's `banks` that the log has.
 */
export async function boot(
  events: readonly BootEvent[],
  banks: readonly Bank[],
  extend: ExtendPcr,
): Promise<void> {
  for (const { pcr, digests } of extensions(events)) {
    const wanted = [...digests].filter(([bank]) => banks.includes(bank));
    if (wanted.length > 0) await extend(pcr, new Map(wanted));
  }
}

function extensions(events: readonly BootEvent[]): BootEvent[] {
  return events.filter(({ type }) => type !== EV_NO_ACTION);
}

/**
 * The locality the machine's TPM was started from, by which PCR 0 begins. A
 * TPM that is started by TPM2_Startup alone can only boot a log with 0, and
 * `tpm2_eventlog`, which the verifier uses, agrees with the profile only for a
 * log that says nothing of it; so choose such logs to boot by.
 */
export function startupLocality(events: readonly BootEvent[]): number {
  const event = events.find(({ type, data }) =>
    type === EV_NO_ACTION && data.length === STARTUP_LOCALITY.length + 1 &&
    startsWith(data, STARTUP_LOCALITY)
  );
  return event?.data.at(-1) ?? 0;
}

/** The PCR values that a machine has after it booted by these events. */
export function replay(events: readonly BootEvent[]): PcrValues {
  const values = new Map<Bank, Map<number, Bytes>>();
  const locality = startupLocality(events);
  for (const { pcr, digests } of extensions(events)) {
    for (const [bank, digest] of digests) {
      const pcrs = values.get(bank) ?? new Map<number, Bytes>();
      values.set(bank, pcrs);
      const before = pcrs.get(pcr) ?? initialPcr(bank, pcr, locality);
      pcrs.set(pcr, digestOf(bank, before, digest));
    }
  }
  return values;
}

function initialPcr(bank: Bank, pcr: number, locality: number): Bytes {
  const value = filledPcr(bank);
  if (pcr === 0) value[value.length - 1] = locality;
  return value;
}

function startsWith(data: Uint8Array, text: string): boolean {
  const start = new TextEncoder().encode(text);
  return start.every((byte, at) => data[at] === byte);
}

/** Little-endian reading that never leaves the bytes it was given. */
class LogReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Whether all that is left is zeros or ones: firmware pads its log area. */
  isAtPadding(): boolean {
    const rest = this.#bytes.subarray(this.#at);
    const [filler] = rest;
    if (filler === undefined) return true;
    return (filler === 0 || filler === 0xff) &&
      rest.every((byte) => byte === filler);
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  bytes(count: number): Bytes {
    const at = this.#advance(count);
    return Uint8Array.from(this.#bytes.subarray(at, at + count));
  }

  #advance(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) {
      throw new RangeError(
        `The event log ends at byte ${this.#bytes.length}, within an event; ` +
          `${count} bytes were expected at ${at}`,
      );
    }
    this.#at += count;
    return at;
  }
}
