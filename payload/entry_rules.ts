/**
 * Which entries of an archive are unpacked. Whatever could land elsewhere than
 * its name says, or be something else than a file or a directory, is refused
 * with the whole archive.
 *
 * @module
 */

import { quoted } from "../log/log.ts";
import { PayloadError } from "./error.ts";

/** Longest name of an entry, in bytes. */
const PATH_MAX = 1_024;

/** Longest part of a name, in bytes, which is what Linux takes. */
const PART_MAX = 255;

/** Most directories in each other. */
const DEPTH_MAX = 16;

/** Smallest number of bytes for which the compression ratio is looked at. */
const RATIO_FREE = 65_536;

/** Most times that an entry may grow; a bomb needs a thousand. */
const RATIO_MAX = 250;

/** Fields that old PKZIP and Info-ZIP put links and devices into. */
const LINK_FIELDS = [0x000d, 0x756e];

const TYPE_MASK = 0o170000;
const DIRECTORY_TYPE = 0o040000;
const FILE_TYPE = 0o100000;

const STORED = 0;
const DEFLATED = 8;

/** What an archive says of one of its entries. */
export interface EntryHeader {
  /** Its name, as decoded. */
  readonly filename: string;
  /** Its name, as bytes. */
  readonly rawFilename: Uint8Array;
  /** Whether any part of its header says that it is a directory. */
  readonly directory: boolean;
  /** Whether a password would be needed. */
  readonly encrypted: boolean;
  /** 0 is stored, 8 is deflated. */
  readonly compressionMethod: number;
  /** Bytes in the archive. */
  readonly compressedSize: number;
  /** Bytes once it is unpacked. */
  readonly uncompressedSize: number;
  /** Type and permissions, 0 for none. */
  readonly mode: number;
  /** Numbers of its extra fields. */
  readonly extraFields: Iterable<number>;
}

/** Something to unpack. */
export interface CheckedEntry {
  /** Path below the directory: no empty part, no `.`, no `..`. */
  readonly path: string;
  /** Whether it is a directory, otherwise it is a file. */
  readonly isDirectory: boolean;
  /** Permissions, for the owner alone. */
  readonly mode: number;
}

/**
 * The entry of `header`.
 *
 * @throws {PayloadError} when it is not to be unpacked, saying why
 */
export function checkEntry(header: EntryHeader): CheckedEntry {
  const path = checkName(header);
  const refuse = refusalOf(header);
  if (header.encrypted) refuse("is encrypted");
  const method = header.compressionMethod;
  if (method !== STORED && method !== DEFLATED) {
    refuse(`is compressed by method ${method}, expected 0 or 8`);
  }
  for (const field of header.extraFields) {
    if (LINK_FIELDS.includes(field)) refuse("may be a link or a device");
  }
  const { mode } = header;
  const type = mode & TYPE_MASK;
  const isDirectory = header.filename.endsWith("/");
  const wanted = isDirectory ? DIRECTORY_TYPE : FILE_TYPE;
  if ((type !== 0 && type !== wanted) || header.directory !== isDirectory) {
    refuse(
      `is a ${nameOf(type)}, but named like a ${nameOf(wanted)}`,
    );
  }
  checkSize(header, isDirectory);
  const permissions = mode & 0o700;
  return {
    path,
    isDirectory,
    mode: isDirectory ? 0o700 : permissions === 0 ? 0o600 : permissions,
  };
}

function refusalOf({ filename }: EntryHeader): (why: string) => never {
  return (why) => {
    throw new PayloadError(
      "entry",
      `The archive's entry ${quoted(filename)} ${why}`,
    );
  };
}

function nameOf(type: number): string {
  const names = new Map([
    [0o010000, "FIFO"],
    [0o020000, "character device"],
    [DIRECTORY_TYPE, "directory"],
    [0o060000, "block device"],
    [FILE_TYPE, "file"],
    [0o120000, "symbolic link"],
    [0o140000, "socket"],
  ]);
  return names.get(type) ?? "thing of an unknown type";
}

function checkName(header: EntryHeader): string {
  const refuse = refusalOf(header);
  const { filename, rawFilename } = header;
  if (new TextEncoder().encode(filename).toHex() !== rawFilename.toHex()) {
    refuse("has a name that is not UTF-8");
  }
  if (rawFilename.length > PATH_MAX) {
    refuse(`has a name of ${rawFilename.length} bytes, more than ${PATH_MAX}`);
  }
  // deno-lint-ignore no-control-regex -- they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(filename)) {
    refuse("has a control character in its name");
  }
  if (filename.includes("\\")) refuse("has a backslash in its name");
  if (filename.startsWith("/")) refuse("has an absolute name");
  const path = filename.replace(/\/$/, "");
  const parts = path.split("/");
  if (parts.length > DEPTH_MAX) {
    refuse(`is ${parts.length} directories deep, more than ${DEPTH_MAX}`);
  }
  for (const part of parts) {
    if (part === "") refuse("has an empty part in its name");
    if (part === "." || part === "..") {
      refuse(`has the part "${part}" in its name`);
    }
    if (new TextEncoder().encode(part).length > PART_MAX) {
      refuse(`has a part of more than ${PART_MAX} bytes in its name`);
    }
  }
  return path;
}

function checkSize(header: EntryHeader, isDirectory: boolean): void {
  const refuse = refusalOf(header);
  const { compressedSize, uncompressedSize } = header;
  if (isDirectory && uncompressedSize > 0) {
    refuse("is a directory with content");
  }
  if (
    uncompressedSize > RATIO_FREE &&
    uncompressedSize > compressedSize * RATIO_MAX
  ) {
    refuse(`grows more than ${RATIO_MAX} times when it is unpacked`);
  }
}

/** The names that are taken, so that nothing overwrites or hides anything. */
export class TakenNames {
  readonly #files = new Set<string>();
  readonly #directories = new Set<string>();
  readonly #listed = new Set<string>();

  /**
   * Begins with the names that the agent writes itself.
   *
   * @param reserved names that no entry may have
   */
  constructor(reserved: readonly string[]) {
    for (const name of reserved) this.#files.add(keyOf(name));
  }

  /**
   * Takes the name of `entry`.
   *
   * @throws {PayloadError} when that name is taken, is a part of another, or
   * differs from another only by Unicode normalisation
   */
  take({ path, isDirectory }: CheckedEntry): void {
    const key = keyOf(path);
    const refuse = (why: string): never => {
      throw new PayloadError(
        "entry",
        `The archive's entry ${quoted(path)} ${why}`,
      );
    };
    if (this.#listed.has(key)) refuse("is there twice");
    this.#listed.add(key);
    if (this.#files.has(key)) {
      refuse("has the name of a file that the agent writes itself");
    }
    const parts = key.split("/");
    for (let length = 1; length < parts.length; length++) {
      const parent = parts.slice(0, length).join("/");
      if (this.#files.has(parent)) refuse("is below another file");
      this.#directories.add(parent);
    }
    if (isDirectory) this.#directories.add(key);
    else if (this.#directories.has(key)) refuse("is also a directory");
    else this.#files.add(key);
  }
}

function keyOf(path: string): string {
  return path.normalize("NFC");
}
