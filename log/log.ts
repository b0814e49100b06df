/**
 * The agent's log: one line a message on standard error, in the shape that
 * rust-keylime's users and their tools already search
 * (` INFO  keylime_agent > message`), filtered by `RUST_LOG`.
 *
 * Outside text never reaches a line raw: pass it through {@linkcode quoted}.
 *
 * @module
 */

/** Message levels, most severe first. */
export const LEVELS = ["error", "warn", "info", "debug", "trace"] as const;

/** How severe a message is. */
export type Level = typeof LEVELS[number];

/** Where the agent's parts send what an administrator should read. */
export type Log = { readonly [L in Level]: (message: string) => void };

/** Priorities of the system log. sd-daemon(3), syslog(3). */
const PRIORITIES: Readonly<Record<Level, number>> = {
  error: 3,
  warn: 4,
  info: 6,
  debug: 7,
  trace: 7,
};

/** The target that rust-keylime's main binary logs under. */
const TARGET = "keylime_agent";

/**
 * The least severe level that `filter` lets through for this agent, or
 * undefined for none. `filter` has the syntax of `RUST_LOG` (contract section
 * 10.2): comma-separated `level` or `target=level`; a prefix of our target
 * counts, the longest match wins, and words that are no level are skipped.
 */
export function thresholdOf(filter: string | undefined): Level | undefined {
  let best: { length: number; level: Level | undefined } = {
    length: -1,
    level: "info",
  };
  for (const directive of (filter ?? "").split(",")) {
    const [left = "", right] = directive.trim().split("=", 2);
    const target = right === undefined ? "" : left.trim();
    const word = (right ?? left).trim().toLowerCase();
    const level = LEVELS.find((known) => known === word);
    if (level === undefined && word !== "off") continue;
    if (TARGET.startsWith(target) && target.length >= best.length) {
      best = { length: target.length, level };
    }
  }
  return best.level;
}

/**
 * A log that hands finished lines, without their newline, to `write`. A message
 * is one line, whatever is in it, so that none can pass for two.
 *
 * @param filter the value of `RUST_LOG`; without one, everything from `info`
 * up is shown, so that a failure is never silent
 * @param options `hasPriorities` puts before each line the priority that the
 * systemd journal takes off and files it under: `<4>` for a warning
 */
export function createLog(
  filter: string | undefined,
  write: (line: string) => void,
  { hasPriorities = false }: { readonly hasPriorities?: boolean } = {},
): Log {
  const threshold = thresholdOf(filter);
  const shown = threshold === undefined ? -1 : LEVELS.indexOf(threshold);
  const at = (level: Level): (message: string) => void => {
    if (LEVELS.indexOf(level) > shown) return () => {};
    const priority = hasPriorities ? `<${PRIORITIES[level]}>` : "";
    const prefix = `${priority} ${level.toUpperCase().padEnd(5)} ${TARGET} > `;
    return (message) => write(prefix + oneLine(message));
  };
  return {
    error: at("error"),
    warn: at("warn"),
    info: at("info"),
    debug: at("debug"),
    trace: at("trace"),
  };
}

/**
 * `text` with its control and format characters escaped: one line, which no
 * terminal shows as another.
 */
export function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escaped);
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return `\\u${code.toString(16).padStart(4, "0")}`;
}

/**
 * `text` from outside, made safe for a log line: double-quoted, with control
 * and non-ASCII characters escaped, cut after `limit` characters.
 */
export function quoted(text: string, limit = 100): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return JSON.stringify(cut).replaceAll(/[\u007f-\uffff]/g, escaped);
}

/**
 * What `error` and each of its causes say, in one line:
 * `what failed: why: why that`.
 */
export function describe(error: unknown): string {
  const parts: string[] = [];
  for (
    let at: unknown = error, depth = 0;
    at !== undefined && depth < 8;
    depth++
  ) {
    parts.push(at instanceof Error ? at.message || at.name : String(at));
    if (at instanceof SuppressedError) {
      parts.push(`(while handling: ${describe(at.suppressed)})`);
      at = at.error;
    } else {
      at = at instanceof Error ? at.cause : undefined;
    }
  }
  return parts.join(": ");
}
