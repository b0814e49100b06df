/**
 * The list syntax of options and of a payload's `action_list`. Contract
 * section 1.2.
 *
 * @module
 */

const BLANKS = /[ \t\r\n]*/y;
const COMMA = /,/y;
const ITEM = /'[^']*'|"[^"]*"|[^ \t\r\n,]+/y;
const BRACKETED_ITEM = /'[^']*'|"[^"]*"|[^ \t\r\n,\]]+/y;

/** A cursor that takes what matches at its place, skipping blanks before. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  take(pattern: RegExp): string | undefined {
    this.#match(BLANKS);
    return this.#match(pattern);
  }

  /** Throws unless only blanks are left. */
  end(): void {
    this.#match(BLANKS);
    if (this.#at < this.#text.length) {
      throw new SyntaxError(`unexpected character ${this.#at + 1} of the list`);
    }
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }
}

/**
 * The items of the list in `text`, in order: separated by blanks up to the
 * first comma and by commas from there, with or without brackets around.
 * Quotes stay part of an item; empty quoted items are dropped.
 *
 * @throws {SyntaxError} for two commas in a row, blanks as separators after a
 * comma, or an unclosed bracket
 */
export function parseList(text: string): readonly string[] {
  const scanner = new Scanner(text);
  const bracketed = scanner.take(/\[/y) !== undefined;
  const pattern = bracketed ? BRACKETED_ITEM : ITEM;
  const items: string[] = [];

  let item = scanner.take(pattern);
  for (; item !== undefined; item = scanner.take(pattern)) items.push(item);
  while (scanner.take(COMMA) !== undefined) {
    item = scanner.take(pattern);
    // A comma without an item must be the last thing in the list.
    if (item === undefined) break;
    items.push(item);
  }

  if (bracketed && scanner.take(/\]/y) === undefined) {
    throw new SyntaxError("the list's opening bracket is not closed");
  }
  scanner.end();
  return items.filter((each) => each !== "''" && each !== '""');
}

/** Whether `item` still carries the quotes it was written in. */
export function isQuotedItem(item: string): boolean {
  return /^(['"]).*\1$/s.test(item);
}
