/**
 * Bytes that are not what a TCG structure says, or a value that the structure
 * cannot carry. `path` leads from the outermost structure to the field.
 */
export class CodecError extends Error {
  /** The class's name, also after bundling. */
  override readonly name = "CodecError";
  /** Names of the structures and fields passed through, outermost first. */
  readonly path: readonly (string | number)[];
  /** What is wrong, without its place. */
  readonly problem: string;
  /** Byte offset from the start of the encoding. */
  readonly offset: number;

  /** Records `problem` at byte `offset`; {@linkcode within} adds the path. */
  constructor(
    problem: string,
    offset: number,
    path: readonly (string | number)[] = [],
  ) {
    super(
      path.length === 0
        ? `${problem} at byte ${offset}`
        : `${path.join(".")}: ${problem} at byte ${offset}`,
    );
    this.problem = problem;
    this.offset = offset;
    this.path = path;
  }
}

/**
 * `error` with `segment` put before its path, so that combinators can say
 * where they were on the way out and pay nothing on the way in. Errors of
 * other classes pass unchanged.
 */
export function within(error: unknown, segment: string | number): unknown {
  return error instanceof CodecError
    ? new CodecError(error.problem, error.offset, [segment, ...error.path])
    : error;
}
