/**
 * Giving up root: the agent needs it to open the kernel's logs and for nothing
 * else (contract section 2.2).
 *
 * Deno's node:process sets uid and gid but not the supplementary groups, which
 * access to the TPM hangs on (group tss). So libc is asked.
 *
 * @module
 */

import { openLibc } from "./libc.ts";

/** Whom to become. */
export interface Account {
  /** User name. */
  readonly user: string;
  /** Group name; the user's own supplementary groups come on top. */
  readonly group: string;
}

/** The agent could not become another user and must not go on as root. */
export class PrivilegeError extends Error {
  /** The class's name, also after bundling. */
  override readonly name = "PrivilegeError";
}

/** Offsets in struct passwd and struct group of 64-bit Linux, any libc. */
const PASSWD_UID = 16;
const GROUP_GID = 16;

const SYMBOLS = {
  getpwnam: { parameters: ["buffer"], result: "pointer" },
  getgrnam: { parameters: ["buffer"], result: "pointer" },
  initgroups: { parameters: ["buffer", "u32"], result: "i32" },
  setgid: { parameters: ["u32"], result: "i32" },
  setuid: { parameters: ["u32"], result: "i32" },
  geteuid: { parameters: [], result: "u32" },
  getuid: { parameters: [], result: "u32" },
} as const;

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

function idOf(
  record: Deno.PointerValue,
  offset: number,
  { option, name }: { readonly option: string; readonly name: string },
): number {
  if (record === null) {
    throw new PrivilegeError(
      `Option "run_as" names ${option} "${name}", which does not exist on this ` +
        "machine; create it or change the option",
    );
  }
  return new Deno.UnsafePointerView(record).getUint32(offset);
}

function require(isDone: boolean, what: string): void {
  if (!isDone) {
    throw new PrivilegeError(
      `The agent cannot ${what} and does not go on as root; check option "run_as"`,
    );
  }
}

/** The numbers of `account`. Throws PrivilegeError if it does not exist. */
function lookUp(
  libc: Libc,
  { user, group }: Account,
): { readonly uid: number; readonly gid: number } {
  // Each answer lies in static storage, so read it before the next question.
  const gid = idOf(libc.getgrnam(cString(group)), GROUP_GID, {
    option: "group",
    name: group,
  });
  const uid = idOf(libc.getpwnam(cString(user)), PASSWD_UID, {
    option: "user",
    name: user,
  });
  return { uid, gid };
}

/**
 * The user and group numbers of `account`.
 *
 * @throws PrivilegeError if it does not exist
 */
export function idsOf(
  account: Account,
): { readonly uid: number; readonly gid: number } {
  using library = openLibc(SYMBOLS);
  return lookUp(library.symbols, account);
}

/**
 * Becomes `account` for good: groups first, then group, then user, and makes
 * sure that there is no way back.
 *
 * @throws PrivilegeError if any step fails; the process must then end
 */
export function dropPrivileges(account: Account): void {
  using library = openLibc(SYMBOLS);
  const libc = library.symbols;
  const { uid, gid } = lookUp(libc, account);
  require(
    libc.initgroups(cString(account.user), gid) === 0,
    "set its supplementary groups",
  );
  require(libc.setgid(gid) === 0, `become group "${account.group}"`);
  require(libc.setuid(uid) === 0, `become user "${account.user}"`);
  require(
    libc.getuid() === uid && libc.geteuid() === uid,
    `become user "${account.user}"`,
  );
  require(uid === 0 || libc.setuid(0) !== 0, "give up root for good");
}
