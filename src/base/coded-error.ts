/**
 * Names the party that has to act on an error:
 * - `usage`: the caller. An option or argument is wrong, and nothing was touched.
 * - `unavailable`: the operator of the other side. A server, file or package is missing, full, slow or refuses.
 * - `defect`: the author of the program. The error cannot occur in a correct program.
 * - `aborted`: nobody. The caller's own signal ended the work.
 *
 * The command line derives its exit code from the kind, so a room can add an error without a change in `src/cli`.
 */
export type ErrorKind = 'usage' | 'unavailable' | 'defect' | 'aborted';

export interface CodedErrorOptions {
  /** The error that led to this one. Passed as it is, so `undefined` is also recorded. */
  readonly cause?: unknown;
  /** An instruction for the reader; null or absent where there is nothing to advise. */
  readonly hint?: string | null;
  /** Default: `unavailable`. */
  readonly kind?: ErrorKind;
  /** The message has line breaks of its own. Those of other messages come from file names and servers. */
  readonly multiline?: boolean;
}

/** An error that programs tell apart by its `code`. Each room derives its own class, with its own set of codes. */
export class CodedError<C extends string = string> extends Error {
  /** Stable across versions. */
  readonly code: C;
  /** An instruction; null where there is nothing to advise. */
  readonly hint: string | null;
  /** Names who has to act on it. */
  readonly kind: ErrorKind;
  /** Whether the line breaks in the message are its own. Absent: they are not. */
  declare readonly multiline?: true;

  constructor(code: C, message: string, options: CodedErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.hint = options.hint ?? null;
    this.kind = options.kind ?? 'unavailable';
    if (options.multiline) this.multiline = true;
  }
}
