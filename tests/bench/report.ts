/**
 * What the benchmark found: one table, and the same for programs.
 *
 * @module
 */

/** A measured amount. */
export interface Figure {
  readonly value: number;
  readonly unit: string;
}

/** One line of the table; what does not apply is left out. */
export interface Row {
  readonly what: string;
  /** TPM commands that the agent sends. */
  readonly sent?: number;
  /** TPM commands that the chip executes for them behind a resource manager. */
  readonly atChip?: number;
  /** TPM commands that rust-keylime's sources send (contract section 12). */
  readonly rustKeylime?: number;
  /** How many times as much as `to`. */
  readonly ratio?: number;
  /** What `ratio` compares with. */
  readonly to?: string;
  /** An amount of this machine at that moment, good for nothing else. */
  readonly figure?: Figure;
}

const HEAD = [
  "",
  "TPM commands",
  "at the chip",
  "rust-keylime",
  "ratio",
  "to",
  "measured",
] as const;

/** Columns that are words. */
const WORDS: readonly string[] = ["", "to"];

/** What one part hands to the whole. */
interface Rows {
  readonly rows: readonly Row[];
  readonly wrong: readonly string[];
}

/** The rows of one run, and what in them must not be. */
export class Report {
  readonly #rows: Row[] = [];
  readonly #wrong: string[] = [];

  /** What is not as the manual says, or not there. */
  get wrong(): readonly string[] {
    return this.#wrong;
  }

  /** Adds a row. */
  add(row: Row): void {
    this.#rows.push(row);
  }

  /** Notes that `what` must be `wanted`. */
  expect(what: string, found: number, wanted: number): void {
    if (found !== wanted) {
      this.fail(`${what}: ${found}, but the manual says ${wanted}`);
    }
  }

  /** Notes what must not be. */
  fail(what: string): void {
    this.#wrong.push(what);
  }

  /** All of it, for {@linkcode Report.merge}. */
  get rows(): string {
    const rows: Rows = { rows: this.#rows, wrong: this.#wrong };
    return JSON.stringify(rows);
  }

  /** Adds what another report gave as its {@linkcode Report.rows}. */
  merge(text: string): void {
    const { rows, wrong }: Rows = JSON.parse(text);
    this.#rows.push(...rows);
    this.#wrong.push(...wrong);
  }

  /** The table, with a newline at the end of each line. */
  get table(): string {
    const lines = [HEAD, ...this.#rows.map(cellsOf)];
    const widths = HEAD.map((_, column) =>
      Math.max(...lines.map((line) => line[column]?.length ?? 0))
    );
    return lines.map((line) =>
      line.map((cell, column) =>
        WORDS.includes(HEAD[column] ?? "")
          ? cell.padEnd(widths[column] ?? 0)
          : cell.padStart(widths[column] ?? 0)
      ).join("  ").trimEnd() + "\n"
    ).join("");
  }

  /** The same as JSON; `agent` is what the agent says of itself. */
  json(agent: string): string {
    const run = {
      agent,
      date: new Date().toISOString(),
      deno: Deno.version.deno,
      processors: navigator.hardwareConcurrency,
      rows: this.#rows,
      wrong: this.#wrong,
    };
    return `${JSON.stringify(run, null, 2)}\n`;
  }
}

function cellsOf(row: Row): readonly string[] {
  const { sent, atChip, rustKeylime, ratio, to = "", figure } = row;
  return [
    row.what,
    sent?.toString() ?? "",
    atChip?.toString() ?? "",
    rustKeylime?.toString() ?? "",
    ratio?.toFixed(2) ?? "",
    to,
    figure === undefined
      ? ""
      : `${figure.value.toFixed(figure.value < 20 ? 2 : 0)} ${figure.unit}`,
  ];
}

/** The middle one of `values`. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

/** How long `work` takes in milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
