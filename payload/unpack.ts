/**
 * Unpacks an archive into memory, under hard limits. Nothing is written, so
 * nothing has to be undone when an archive is bad at its end.
 *
 * @module
 */

import {
  configure,
  type Entry,
  type FileEntry,
  Uint8ArrayReader,
  ZipReader,
} from "@zip.js/zip.js/lib/zip-core-custom.js";
import { PayloadError } from "./error.ts";
import {
  type CheckedEntry,
  checkEntry,
  type EntryHeader,
  TakenNames,
} from "./entry_rules.ts";

/** Most entries of an archive. */
const ENTRIES_MAX = 1_000;

/** Largest file in an archive, in bytes, however large the mount is. */
const FILE_MAX = 64 * 1_048_576;

/** Bytes that are inflated at once: an unforeseen bomb takes 4 MB, no more. */
const CHUNK_SIZE = 4_096;

/** One file or directory of an archive. */
export interface UnpackedEntry {
  /** Path below the directory: no empty part, no `.`, no `..`. */
  readonly path: string;
  /** Permissions, for the owner alone. */
  readonly mode: number;
  /** Undefined for a directory. */
  readonly content: Uint8Array<ArrayBuffer> | undefined;
}

/** Bounds of what is unpacked. */
export interface UnpackLimits {
  /** Bytes that all files may have together. */
  readonly room: number;
  /** Names at the top that no entry may have. */
  readonly reserved: readonly string[];
}

/**
 * Whether `payload` claims to be a zip file: what does not is a plain file,
 * what does must be a good one.
 */
export function isZip(payload: Uint8Array): boolean {
  const [p, k, third, fourth] = payload;
  return p === 0x50 && k === 0x4b &&
    ((third === 3 && fourth === 4) || (third === 5 && fourth === 6));
}

/**
 * Everything in the zip file `archive`, in its order.
 *
 * @throws {PayloadError} when it is damaged, ambiguous, too large, or holds
 * an entry that is not to be unpacked
 */
export async function unpack(
  archive: Uint8Array<ArrayBuffer>,
  { room, reserved }: UnpackLimits,
): Promise<UnpackedEntry[]> {
  configure({ useWebWorkers: false, chunkSize: CHUNK_SIZE });
  const reader = new ZipReader(new Uint8ArrayReader(archive), {
    strictness: "strict",
    // Names are checked here, with a reason for each refusal.
    filenameValidation: "tolerant",
    checkOverlappingEntry: true,
    checkCrc32: true,
  });
  try {
    // All headers first: what they say costs nothing to refuse.
    const found: { entry: Entry; checked: CheckedEntry }[] = [];
    const names = new TakenNames(reserved);
    let left = room;
    for await (const entry of reader.getEntriesGenerator()) {
      const checked = checkEntry(headerOf(entry));
      names.take(checked);
      left -= entry.uncompressedSize;
      found.push({ entry, checked });
      refuseExcess(found.length, entry.uncompressedSize, { left, room });
    }
    const unpacked: UnpackedEntry[] = [];
    for (const { entry, checked: { path, mode } } of found) {
      const content = entry.directory ? undefined : await contentOf(entry);
      unpacked.push({ path, mode, content });
    }
    return unpacked;
  } catch (cause) {
    if (cause instanceof PayloadError) throw cause;
    throw new PayloadError(
      "archive",
      "The payload begins like a zip file but is damaged or ambiguous",
      { cause },
    );
  } finally {
    await reader.close();
  }
}

function refuseExcess(
  count: number,
  size: number,
  { left, room }: { readonly left: number; readonly room: number },
): void {
  if (count > ENTRIES_MAX) {
    throw new PayloadError(
      "size",
      `The archive has more than ${ENTRIES_MAX} entries`,
    );
  }
  if (left < 0 || size > FILE_MAX) {
    throw new PayloadError(
      "size",
      `The archive does not fit: all its files may have ${room} bytes, ` +
        `each at most ${FILE_MAX}`,
    );
  }
}

function headerOf(entry: Entry): EntryHeader {
  const { unixExternalUpper = 0, unixMode = 0 } = entry;
  return {
    filename: entry.filename,
    rawFilename: entry.rawFilename,
    directory: entry.directory,
    encrypted: entry.encrypted,
    compressionMethod: entry.compressionMethod,
    compressedSize: entry.compressedSize,
    uncompressedSize: entry.uncompressedSize,
    mode: unixExternalUpper | unixMode,
    extraFields: entry.extraField?.keys() ?? [],
  };
}

/** The content of `entry`, which has as many bytes as its header says. */
async function contentOf(
  entry: FileEntry,
): Promise<Uint8Array<ArrayBuffer>> {
  const content = new Uint8Array(entry.uncompressedSize);
  let length = 0;
  await entry.getData(
    new WritableStream<Uint8Array>({
      write(chunk): void {
        // Throws RangeError when it is more than there is room for.
        content.set(chunk, length);
        length += chunk.length;
      },
    }),
  );
  return content;
}
