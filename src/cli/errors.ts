import { CodedError, type ErrorKind } from '../base/coded-error.js';
import { withoutSystemWords } from '../base/file-fault.js';
import { maskSecrets } from '../base/secrets.js';
import { harmless, printable } from '../report/text.js';
import { ExitCode } from './exit-codes.js';
import type { Interruption } from './interrupts.js';

/** One thing that is wrong with how poolctl was called. */
export interface Problem {
  /** Says where: `--pool-size: 'x' is not a whole number`. */
  readonly message: string;
  /** An instruction; null where the message says it already. */
  readonly hint: string | null;
}

/** poolctl was called wrongly: all that is wrong, at once. Nothing has been touched. Exit 2. */
export class UsageError extends CodedError<'ERR_USAGE'> {
  readonly problems: readonly Problem[];

  constructor(problems: readonly (Problem | string)[]) {
    const list = problems.map((one) => (typeof one === 'string' ? { message: one, hint: null } : one));
    super('ERR_USAGE', list.map(({ message }) => message).join('; '), { kind: 'usage' });
    this.name = 'UsageError';
    this.problems = list;
  }
}

/** A target, a file or an optional package that is needed is not there or does not work. Exit 3. */
export class UnavailableError extends CodedError {
  constructor(message: string, options: { code?: string; hint?: string; cause?: unknown } = {}) {
    super(options.code ?? 'ERR_UNAVAILABLE', message, options);
    this.name = 'UnavailableError';
  }
}

/** How an error that ended a command is shown, and the code to exit with. */
export interface ErrorReport {
  readonly exitCode: ExitCode;
  /** Lines without the `poolctl: ` in front, passwords masked. */
  readonly text: string;
}

export interface ErrorContext {
  /** The command that ran; null before one was found. */
  readonly command: string | null;
  /** The signal that stopped the run, if one did. */
  readonly interruption: Interruption | null;
  readonly nodeVersion: string;
}

/**
 * Turns whatever a command threw into what the user sees. A coded error, and one of the operating system's, is expected
 * and reported in its own words. Anything else is a defect in poolctl and reported with its stack.
 */
export function reportOf(error: unknown, where: ErrorContext): ErrorReport {
  const program = where.command === null ? 'poolctl' : `poolctl ${where.command}`;
  if (error instanceof UsageError) {
    return { exitCode: ExitCode.Usage, text: shown(usageText(error, program)) };
  }
  if (where.interruption !== null && isAbort(error)) {
    return { exitCode: where.interruption.exitCode, text: `stopped by ${where.interruption.signal}` };
  }
  if (isCoded(error) && error.kind !== 'defect') {
    return {
      exitCode: EXIT_CODES[error.kind ?? ''] ?? ExitCode.Unavailable,
      text: shown(expectedText(error)),
    };
  }
  return { exitCode: ExitCode.Defect, text: defectText(error, where.nodeVersion) };
}

/** The text for an error that should not have happened, passwords masked. */
export function defectText(error: unknown, nodeVersion: string): string {
  const lines = [
    'something went wrong inside poolctl; this is a defect in poolctl, not in what you did',
    ...stackOf(error),
    `  (Node ${nodeVersion}; please report the lines above)`,
  ];
  return shown(lines.join('\n'));
}

/** Messages quote what was typed and what servers said: neither may show a password or steer the terminal. */
function shown(text: string): string {
  return harmless(maskSecrets(text));
}

function usageText(error: UsageError, program: string): string {
  // Each problem is one line, even where what was typed is not.
  const problems = error.problems.map(({ message, hint }) => ({ message: printable(message), hint }));
  const [first] = problems;
  const lines =
    problems.length === 1 && first !== undefined
      ? [first.message, ...hintLine(first.hint)]
      : [
          `${problems.length} problems, nothing was run:`,
          ...problems.flatMap(({ message, hint }) => [`  ${message}`, ...hintLine(hint, '    ')]),
        ];
  return [...lines, `Run '${program} --help' for usage.`].join('\n');
}

function expectedText(error: Coded): string {
  const { code, hint } = error;
  const own = (text: string) => withoutSystemWords(printable(text));
  const text = error.multiline === true ? error.message : own(error.message);
  const causes = causesOf(error).map(own);
  const message = withReason(text.includes(code) ? text : withCode(text, code), causes);
  const cause = causes.filter((each) => !says(message, each));
  const advice = hint === null || hint === undefined || message.includes(hint) ? [] : hintLine(own(hint));
  return [message, ...cause.map((text) => `  caused by: ${text}`), ...advice].join('\n');
}

/** A message that has only the code of the system gets the reason from the cause: `: connection refused (ECONNREFUSED)`. */
function withReason(message: string, causes: readonly string[]): string {
  for (const cause of causes) {
    const [, reason, code] = /^(.+?)(?: (?:by|at) \S+)? \((E[A-Z]+)\)$/.exec(cause) ?? [];
    const [first = ''] = message.split('\n');
    if (code !== undefined && first.includes(` (${code}`) && !first.includes(': '))
      return message.replace(` (${code}`, `: ${reason} (${code}`);
  }
  return message;
}

/**
 * Whether the message gives the reason of a cause already, so that it appears once: in the same words, or in its own where
 * the cause is the system's.
 */
function says(message: string, cause: string): boolean {
  if (/\(E[A-Z_]+\)$/.test(cause) && /: [a-z]/.test(message)) return true;
  const reason = /(?:.*: )?(.+?)(?: (?:by|at) [^ ]+)?(?: \(E[A-Z_]+\))?$/s.exec(cause)?.[1] ?? cause;
  return message.includes(cause) || message.includes(reason);
}

const EXIT_CODES: Readonly<Record<string, ExitCode>> = {
  usage: ExitCode.Usage,
  unavailable: ExitCode.Unavailable,
  defect: ExitCode.Defect,
  // Without a signal to this process: something else ended the work.
  aborted: ExitCode.Unavailable,
} satisfies Record<ErrorKind, ExitCode>;

/** The shape of an error that names its cause by a code. Those of PostgreSQL and the operating system have no kind. */
interface Coded extends Error {
  readonly code: string;
  readonly hint?: string | null;
  readonly kind?: string;
  readonly multiline?: boolean;
}

/**
 * Ours carry a hint (null where there is nothing to advise); the system's carry the call that failed. The class is not
 * asked for: a program that is run may bring its own copy of poolctl.
 */
function isCoded(error: unknown): error is Coded {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    ('hint' in error || 'syscall' in error)
  );
}

function isAbort(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    error.name === 'AbortError' ||
    ('kind' in error && error.kind === 'aborted') ||
    ('code' in error && error.code === 'ABORT_ERR')
  );
}

function causesOf(error: Error): string[] {
  const texts: string[] = [];
  let cause = error.cause;
  // A chain of causes is short; the bound is for one that bites its own tail.
  for (let depth = 0; cause instanceof Error && depth < 5; depth++) {
    texts.push(printable(cause.message.split('\n')[0] ?? ''));
    cause = cause.cause;
  }
  return texts.filter((text) => text !== '');
}

function stackOf(error: unknown, depth = 0): string[] {
  if (!(error instanceof Error)) return [`  ${String(error)}`];
  const lines = (error.stack ?? `${error.name}: ${error.message}`).split('\n').map((line) => `  ${line}`);
  if (error.cause === undefined || depth >= 5) return lines;
  const [first = '', ...rest] = stackOf(error.cause, depth + 1);
  return [...lines, `  caused by:${first.replace(/^ +/, ' ')}`, ...rest];
}

/** At the end of the first line, beside the system's code if that stands there. */
function withCode(text: string, code: string): string {
  const [first = '', ...others] = text.split('\n');
  const coded = /\(E[A-Z_]+\)$/.test(first) ? `${first.slice(0, -1)}, ${code})` : `${first} (${code})`;
  return [coded, ...others].join('\n');
}

function hintLine(hint: string | null, indent = '  '): string[] {
  return hint === null ? [] : [`${indent}hint: ${hint}`];
}
