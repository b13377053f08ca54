import { CodedError } from '../base/coded-error.js';
import { consoleName } from './names.js';

/** By their names: columns differ from version to version. */
export type Row = Readonly<Record<string, unknown>>;

/** Sends one command to the admin console, and gives its rows. */
export type Ask = (command: string, signal: AbortSignal) => Promise<readonly Row[]>;

/** The SHOW commands. SHOW FDS is not among them, because it blocks the pooler. */
export const SHOWN = [
  'pools',
  'stats',
  'databases',
  'clients',
  'servers',
  'lists',
  'config',
  'users',
  'version',
] as const;
export type Shown = (typeof SHOWN)[number];

/** Rows of the console as text, column by column; the first rows say which there are. */
export interface ShownTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export async function show(ask: Ask, what: Shown, signal: AbortSignal): Promise<ShownTable> {
  const rows = await ask(`SHOW ${what.toUpperCase()}`, signal);
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return { columns, rows: rows.map((row) => columns.map((column) => textOf(row[column]))) };
}

/** A command with the name of a database behind it, or with none. */
export function commandFor(verb: string, database: string | null): string {
  return database === null ? verb : `${verb} ${consoleName(database)}`;
}

export type ConsoleErrorCode =
  /** The console does not take the command from this user. */
  | 'ERR_PGBOUNCER_RIGHTS'
  /** It refused the command, and said why. */
  | 'ERR_PGBOUNCER_REFUSED'
  /** It went away in the middle. */
  | 'ERR_PGBOUNCER_GONE'
  /** It is paused already, by somebody else. */
  | 'ERR_PGBOUNCER_PAUSED'
  /** It may have been left paused. */
  | 'ERR_PGBOUNCER_STILL_PAUSED';

export class ConsoleError extends CodedError<ConsoleErrorCode> {
  constructor(code: ConsoleErrorCode, message: string, hint: string | null) {
    super(code, message, { hint });
    this.name = 'ConsoleError';
  }
}

export function textOf(value: unknown): string {
  return value === null || value === undefined ? '' : String(value);
}
