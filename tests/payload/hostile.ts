/**
 * Payloads that must not be unpacked, and why.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { deflateRawSync } from "node:zlib";
import type { PayloadProblem } from "../../payload/error.ts";
import { zip, type ZipEntry, type ZipLies } from "./zip_file.ts";

/** One bad payload. */
export interface Hostile {
  readonly name: string;
  /** The plain payload. */
  readonly payload: Uint8Array<ArrayBuffer>;
  readonly problem: PayloadProblem;
  readonly reason: RegExp;
}

const A: ZipEntry = { name: "a", content: "first" };
const B: ZipEntry = { name: "b", content: "second" };

function given(name: string): Uint8Array<ArrayBuffer> {
  const url = new URL(`../fixtures/payload/zip-a/${name}.zip`, import.meta.url);
  return Deno.readFileSync(url);
}

function entry(
  name: string,
  reason: RegExp,
  ...entries: readonly ZipEntry[]
): Hostile {
  return { name, payload: zip(entries), problem: "entry", reason };
}

function named(name: string | Uint8Array, reason: RegExp): Hostile {
  const label = typeof name === "string"
    ? name.slice(0, 30)
    : `bytes ${Buffer.from(name).toString("hex")}`;
  return entry(`name ${JSON.stringify(label)}`, reason, A, { name });
}

function ofMode(what: string, mode: number, name = "x"): Hostile {
  return entry(`a ${what}`, new RegExp(`"x\\/?" is a ${what}, but named`), A, {
    name,
    content: "/etc/passwd",
    mode,
  });
}

function damaged(
  name: string,
  entries: readonly ZipEntry[],
  lies?: ZipLies,
): Hostile {
  const payload = zip(entries, lies);
  return {
    name,
    payload,
    problem: "archive",
    reason: /begins like a zip file but is damaged or ambiguous/,
  };
}

function cut(name: string, from: number, to?: number): Hostile {
  const payload = zip([A, B]).slice(from, to);
  return { ...damaged(name, []), payload };
}

const TOO_LARGE = /The archive does not fit/;

const NAMES: readonly Hostile[] = [
  named("../x", /has the part "\.\." in its name/),
  named("..", /has the part "\.\." in its name/),
  named("a/../../x", /has the part "\.\." in its name/),
  named("a/..", /has the part "\.\." in its name/),
  named("./x", /has the part "\." in its name/),
  named("/etc/cron.d/x", /has an absolute name/),
  named("//x", /has an absolute name/),
  named("..\\x", /has a backslash in its name/),
  named("C:\\x", /has a backslash in its name/),
  named("d\\..\\x", /has a backslash in its name/),
  named("d//x", /has an empty part in its name/),
  named("", /has an empty part in its name/),
  named("/", /has an absolute name/),
  named("x\0.txt", /has a control character in its name/),
  named("x\ny", /has a control character in its name/),
  named("\x1b[2J", /has a control character in its name/),
  named(new Uint8Array([0x78, 0xff]), /has a name that is not UTF-8/),
  named(new Uint8Array([0xc0, 0xae]), /has a name that is not UTF-8/),
  named("n".repeat(256), /has a part of more than 255 bytes/),
  named("d/".repeat(16) + "x", /is 17 directories deep, more than 16/),
  named(`${"n/".repeat(520)}x`, /has a name of 1041 bytes, more than 1024/),
];

const KINDS: readonly Hostile[] = [
  ofMode("symbolic link", 0o120777),
  ofMode("FIFO", 0o010600),
  ofMode("character device", 0o020600),
  ofMode("block device", 0o060600),
  ofMode("socket", 0o140600),
  ofMode("directory", 0o040700),
  ofMode("file", 0o100600, "x/"),
  ofMode("thing of an unknown type", 0o150600),
  entry("a DOS directory named like a file", /"x" is a /, {
    name: "x",
    host: 0,
    mode: 0,
    dosAttributes: 0x10,
  }),
  entry("a hard link of PKZIP", /may be a link or a device/, {
    name: "x",
    extra: Uint8Array.from([0x0d, 0, 13, 0, ...new Uint8Array(12), 0x61]),
  }),
  entry("a link of an ASi field", /may be a link or a device/, {
    name: "x",
    extra: Uint8Array.from([0x6e, 0x75, 14, 0, ...new Uint8Array(14)]),
  }),
  entry("an encrypted entry", /is encrypted/, { ...A, flags: 0x801 }),
  entry("an unknown compression", /is compressed by method 12/, {
    ...A,
    method: 12,
  }),
  entry("a directory with content", /is a directory with content/, {
    name: "d/",
    content: "x",
    mode: 0o040700,
  }),
];

const COLLISIONS: readonly Hostile[] = [
  entry("a name twice", /"a" is there twice/, A, A),
  entry("a name twice, normalised", /is there twice/, {
    name: "\u00e9",
  }, { name: "e\u0301" }),
  entry("a file and a directory", /"a" is there twice/, A, {
    name: "a/",
    mode: 0o040700,
  }),
  entry("a file as a directory", /"a\/b" is below another file/, A, {
    name: "a/b",
  }),
  entry("a directory as a file", /"a" is also a directory/, {
    name: "a/b",
  }, A),
  entry("the name of the key file", /a file that the agent writes itself/, {
    name: "derived_tci_key",
  }),
  entry("the name of the payload file", /that the agent writes itself/, {
    name: "decrypted_payload",
  }),
  entry("the key file as a directory", /is below another file/, {
    name: "derived_tci_key/x",
  }),
];

const SIZES: readonly Hostile[] = [
  entry("a bomb", /grows more than 250 times/, {
    name: "bomb",
    content: new Uint8Array(100_000_000),
    isDeflated: true,
  }),
  {
    name: "more than the mount holds",
    payload: zip([{
      name: "x",
      content: Buffer.alloc(1_048_576, "0123456789abcdef".repeat(999)),
      isDeflated: true,
    }]),
    problem: "size",
    reason: TOO_LARGE,
  },
  {
    name: "many files that are too much together",
    payload: zip(Array.from({ length: 20 }, (_, at) => ({
      name: `${at}`,
      content: new Uint8Array(60_000),
      isDeflated: true,
    }))),
    problem: "size",
    reason: TOO_LARGE,
  },
  {
    name: "more than a thousand entries",
    payload: zip(Array.from({ length: 1_001 }, (_, at) => ({ name: `${at}` }))),
    problem: "size",
    reason: /has more than 1000 entries/,
  },
  {
    name: "a claimed size of 4 GB",
    payload: zip([{ ...A, size: 0xffff_fffe }]),
    problem: "entry",
    reason: /grows more than 250 times/,
  },
  damaged("a bomb that claims 9 bytes", [{
    name: "bomb",
    content: new Uint8Array(300_000_000),
    isDeflated: true,
    size: 9,
  }]),
  damaged("a bomb that claims to be stored", [{
    name: "bomb",
    content: deflateRawSync(new Uint8Array(1_000_000)),
    size: 60_000,
  }]),
];

const DAMAGES: readonly Hostile[] = [
  damaged("a wrong checksum", [{ ...A, crc: 1 }]),
  damaged("a size that is too large", [{ ...A, size: 6 }]),
  damaged("a size that is too small", [{ ...A, size: 4 }]),
  damaged("data beyond the end", [{
    ...A,
    compressedSize: 5_000,
    size: 5_000,
  }]),
  damaged("data that does not inflate", [{ ...A, method: 8 }]),
  damaged("another name in the local header", [{ ...A, localName: "b" }]),
  damaged("a local header elsewhere", [{ ...A, offset: 7 }]),
  damaged("a local header beyond the end", [{ ...A, offset: 70_000 }]),
  damaged("two entries with the same data", [A, {
    ...A,
    name: "b",
    offset: 0,
  }]),
  damaged("more entries than there are", [A], { entries: 2 }),
  damaged("a directory that is too long", [A], { directorySize: 5_000 }),
  damaged("a directory elsewhere", [A], { directoryOffset: 3 }),
  damaged("another disk", [A], { disk: 1 }),
  damaged("something after the end", [A], { suffix: new Uint8Array(100) }),
  damaged("another archive in the comment", [A], { comment: zip([B]) }),
  cut("nothing but a beginning", 0, 4),
  cut("the last byte missing", 0, -1),
  cut("the end missing", 0, -22),
  {
    ...damaged("an archive with something before", [A]),
    payload: zip([A], { prefix: Buffer.from("PK\x03\x04junk") }),
  },
];

const GIVEN: readonly Hostile[] = [
  {
    name: "given absolute-path.zip",
    payload: given("absolute-path"),
    problem: "entry",
    reason: /has an absolute name/,
  },
  {
    name: "given zip-slip.zip",
    payload: given("zip-slip"),
    problem: "entry",
    reason: /has the part "\.\." in its name/,
  },
  {
    name: "given symlink.zip",
    payload: given("symlink"),
    problem: "entry",
    reason: /is a symbolic link/,
  },
  {
    name: "given duplicate-names.zip",
    payload: given("duplicate-names"),
    problem: "entry",
    reason: /is there twice/,
  },
  { ...damaged("given crc-flip.zip", []), payload: given("crc-flip") },
  { ...damaged("given cut.zip", []), payload: given("cut") },
];

/** All of them; not one may change anything in the secure mount. */
export const HOSTILE: readonly Hostile[] = [
  ...NAMES,
  ...KINDS,
  ...COLLISIONS,
  ...SIZES,
  ...DAMAGES,
  ...GIVEN,
];
