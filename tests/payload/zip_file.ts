/**
 * Writes zip files byte by byte, so that each of their fields can lie.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { crc32, deflateRawSync } from "node:zlib";

/** One entry, and what to say of it instead of the truth. */
export interface ZipEntry {
  readonly name: string | Uint8Array;
  /** Uncompressed content; empty unless told. */
  readonly content?: string | Uint8Array;
  /** Whether it is deflated; stored unless told. */
  readonly isDeflated?: boolean;
  /** Type and permissions; those of a file for its owner unless told. */
  readonly mode?: number;
  /** System that made it: 3 is Unix, 0 is DOS. */
  readonly host?: number;
  /** General purpose flags; bit 11, for UTF-8, unless told. */
  readonly flags?: number;
  readonly method?: number;
  readonly size?: number;
  readonly compressedSize?: number;
  readonly crc?: number;
  /** Name in the local header. */
  readonly localName?: string;
  /** Offset of the local header. */
  readonly offset?: number;
  readonly extra?: Uint8Array;
  /** Low byte of the external attributes: 0x10 is a directory for DOS. */
  readonly dosAttributes?: number;
}

/** What to say of the whole archive instead of the truth. */
export interface ZipLies {
  readonly entries?: number;
  readonly directorySize?: number;
  readonly directoryOffset?: number;
  readonly comment?: Uint8Array;
  readonly prefix?: Uint8Array;
  readonly suffix?: Uint8Array;
  readonly disk?: number;
}

/** The bytes of a zip file. */
export function zip(
  entries: readonly ZipEntry[],
  lies: ZipLies = {},
): Uint8Array<ArrayBuffer> {
  const locals: Uint8Array[] = [lies.prefix ?? new Uint8Array()];
  const central: Uint8Array[] = [];
  let at = lies.prefix?.length ?? 0;
  for (const entry of entries) {
    const { local, header } = encode(entry, at);
    locals.push(local);
    central.push(header);
    at += local.length;
  }
  const directory = Buffer.concat(central);
  const comment = Buffer.from(lies.comment ?? "");
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(lies.disk ?? 0, 4);
  end.writeUInt16LE(lies.disk ?? 0, 6);
  end.writeUInt16LE(lies.entries ?? entries.length, 8);
  end.writeUInt16LE(lies.entries ?? entries.length, 10);
  end.writeUInt32LE(lies.directorySize ?? directory.length, 12);
  end.writeUInt32LE(lies.directoryOffset ?? at, 16);
  end.writeUInt16LE(comment.length, 20);
  const parts = [...locals, directory, end, comment];
  return new Uint8Array(
    Buffer.concat([...parts, lies.suffix ?? new Uint8Array()]),
  );
}

function encode(
  entry: ZipEntry,
  at: number,
): { readonly local: Uint8Array; readonly header: Uint8Array } {
  const name = Buffer.from(entry.name);
  const content = Buffer.from(entry.content ?? "");
  const data = entry.isDeflated ? deflateRawSync(content) : content;
  const extra = entry.extra ?? new Uint8Array();
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(entry.flags ?? 0x800, 2);
  common.writeUInt16LE(entry.method ?? (entry.isDeflated ? 8 : 0), 4);
  common.writeUInt32LE(entry.crc ?? crc32(content), 10);
  common.writeUInt32LE(entry.compressedSize ?? data.length, 14);
  common.writeUInt32LE(entry.size ?? content.length, 18);
  common.writeUInt16LE(name.length, 22);
  common.writeUInt16LE(extra.length, 24);

  const localName = Buffer.from(entry.localName ?? name);
  const localCommon = Buffer.from(common);
  localCommon.writeUInt16LE(localName.length, 22);
  const tail = Buffer.alloc(14);
  const mode = entry.mode ?? 0o100600;
  tail.writeUInt16LE(mode, 8);
  tail.writeUInt8(entry.dosAttributes ?? 0, 6);
  tail.writeUInt32LE(entry.offset ?? at, 10);
  return {
    local: Buffer.concat([
      Buffer.from([0x50, 0x4b, 3, 4]),
      localCommon,
      localName,
      extra,
      data,
    ]),
    header: Buffer.concat([
      Buffer.from([0x50, 0x4b, 1, 2, 20, entry.host ?? 3]),
      common,
      tail,
      name,
      extra,
    ]),
  };
}
