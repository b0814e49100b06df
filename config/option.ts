/**
 * The vocabulary in which {@linkcode OPTIONS} declares an option: its type,
 * its default, what an empty value or a relative path means, and how far this
 * agent serves it.
 *
 * @module
 */

/**
 * How far this agent serves an option.
 *
 * - `used`: it works.
 * - `push`: only agents in push mode read it; `note`, a clause, says more
 *   where "ignored" is not the whole story.
 * - `unbuilt`: it belongs to a function that this agent does not have yet.
 *   `whenSet` says what happens to an administrator who sets it: the agent
 *   refuses to start with `note`, or stays silent because another option, the
 *   switch of the same function, answers already.
 */
export type Status =
  | { readonly kind: "used" }
  | { readonly kind: "push"; readonly note?: string }
  | {
    readonly kind: "unbuilt";
    readonly whenSet: "refuse" | "silent";
    readonly note: string;
  };

/** How a path is completed. Contract section 1.3. */
export interface PathRule {
  /** What a relative path is relative to. */
  readonly base: "keylime_dir" | "/";
  /** The file under `base` that the keyword `default` stands for. */
  readonly file: string;
  /** What an empty value means: the default, or no file at all. */
  readonly empty: "default" | "none";
}

/** What every option has. */
export interface Described {
  /** One sentence of Markdown, without its final period. */
  readonly meaning: string;
  /** How far this agent serves it. */
  readonly status: Status;
}

/** An option whose value is text, a list written as text among them. */
export interface TextOption extends Described {
  /** Tells this kind of option from the others. */
  readonly type: "text";
  /** The value when no source sets one. */
  readonly default: string;
  /** Further values that mean the same as the default. */
  readonly alsoDefault?: readonly string[];
  /** The default in words, where `default` alone would mislead. */
  readonly defaultNote?: string;
  /** Present when the value is a path, or a list of paths. */
  readonly path?: PathRule;
  /** The value is a password: it never appears in a log line or an error. */
  readonly secret?: true;
}

/** An option whose value is a path, or a list of paths. */
export interface PathOption extends TextOption {
  /** How the paths are completed. */
  readonly path: PathRule;
}

/** An option whose value is a whole number from `min` to `max`. */
export interface IntegerOption extends Described {
  /** Tells this kind of option from the others. */
  readonly type: "integer";
  /** The value when no source sets one. */
  readonly default: number;
  /** The least value accepted. */
  readonly min: number;
  /** The greatest value accepted. */
  readonly max: number;
}

/** An option that is on or off. */
export interface BooleanOption extends Described {
  /** Tells this kind of option from the others. */
  readonly type: "boolean";
  /** The value when no source sets one. */
  readonly default: boolean;
}

/** One option of the agent's configuration. */
export type Option = TextOption | IntegerOption | BooleanOption;

/** The value of any option. */
export type Value = string | number | boolean;

/** What the declaration of an option may add or change. */
export type Extras<T extends Option> = Partial<
  Omit<T, "type" | "default" | "meaning">
>;

const USED: Status = { kind: "used" };

/** Declares an option that holds text. */
export function text(
  fallback: string,
  meaning: string,
  extras: Extras<TextOption> = {},
): TextOption {
  return { type: "text", default: fallback, meaning, status: USED, ...extras };
}

/** Declares a path under `keylime_dir` whose default is `file`. */
export function path(
  file: string,
  meaning: string,
  extras: Extras<TextOption> & Partial<PathRule> = {},
): PathOption {
  const { base = "keylime_dir", empty = "default", ...rest } = extras;
  return {
    ...text("default", meaning, rest),
    path: { base, file, empty },
  };
}

/** Declares a password. */
export function password(
  meaning: string,
  extras: Extras<TextOption> = {},
): TextOption {
  return text("", meaning, { ...extras, secret: true });
}

/** Declares a whole number, `u32` unless `extras` says otherwise. */
export function integer(
  fallback: number,
  meaning: string,
  extras: Extras<IntegerOption> = {},
): IntegerOption {
  const range = { min: 0, max: 0xffff_ffff };
  return {
    type: "integer",
    default: fallback,
    meaning,
    status: USED,
    ...range,
    ...extras,
  };
}

/** Declares a TCP port. */
export function port(
  fallback: number,
  meaning: string,
  extras: Extras<IntegerOption> = {},
): IntegerOption {
  return integer(fallback, meaning, { ...extras, min: 1, max: 0xffff });
}

/** Declares a switch. */
export function flag(
  fallback: boolean,
  meaning: string,
  extras: Extras<BooleanOption> = {},
): BooleanOption {
  return {
    type: "boolean",
    default: fallback,
    meaning,
    status: USED,
    ...extras,
  };
}

/** Declares that only agents in push mode read an option. */
export function push(note?: string): { readonly status: Status } {
  return {
    status: { kind: "push", ...(note === undefined ? {} : { note }) },
  };
}

/** Declares that an option belongs to a function not built yet. */
export function unbuilt(
  whenSet: "refuse" | "silent",
  note: string,
): { readonly status: Status } {
  return { status: { kind: "unbuilt", whenSet, note } };
}
