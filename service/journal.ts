import { fstatSync } from "node:fs";

/**
 * Whether file `descriptor` leads to the systemd journal, by the value of
 * `JOURNAL_STREAM` (systemd.exec(5)): `device:inode` of the stream that the
 * service was started with, which may not be its stream any more.
 */
export function isJournal(
  descriptor: number,
  journalStream: string | undefined,
): boolean {
  try {
    const { dev, ino } = fstatSync(descriptor, { bigint: true });
    return journalStream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
