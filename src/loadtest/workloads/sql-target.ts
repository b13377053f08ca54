import type { Clock } from '../../base/clock.js';
import type { Database, Session } from '../../db/database.js';
import type { ServerWatch, WorkloadContext } from '../api.js';
import type { QueryType } from './candles.js';
import type { Value } from './expression.js';
import type { Row } from './parameters.js';
import type { Script } from './script.js';

/** A database under test: what the SQL workload must know of each kind. */
export interface SqlTarget {
  /** The parameter at a position, from 1, as this database writes it. */
  placeholder(position: number): string;
  /** Connects, and gets the data ready. What it rejects with, it has cleaned up after. */
  open(context: WorkloadContext): Promise<OpenTarget>;
}

export interface OpenTarget {
  readonly database: Database;
  /** For the report: `a temporary SQLite file with ...`. */
  readonly title: string;
  readonly inProcess: boolean;
  /** Watches the server meanwhile; left out where there is none. */
  readonly server?: ServerWatch;
  /** The built-in queries for the data that is there, and what they do, in words. */
  builtIn(type: QueryType, session: Session): Promise<BuiltIn>;
  /** Has the database read a statement, without any effect. Rejects if it does not understand it. */
  inspect(session: Session, sql: string, values: readonly Value[], signal?: AbortSignal): Promise<Inspected>;
  /** Rejects if the database cannot be written at all; changes nothing. */
  tryWriting(session: Session): Promise<void>;
  /** Closes the database, at once if asked to, and removes what was temporary. */
  close(options: { readonly atOnce: boolean }): Promise<void>;
}

export interface Inspected {
  readonly writes: boolean;
  /** A verb for the effect that a load test avoids by default. Left out: it writes. */
  readonly does?: string;
}

export interface BuiltIn {
  readonly scripts: readonly Script[];
  readonly work: string;
}

/** The work: a built-in kind of query, or the user's own scripts. */
export type SqlWork =
  | { readonly kind: 'built-in'; readonly type: QueryType }
  | {
      readonly kind: 'scripts';
      readonly scripts: readonly Script[];
      /** Iteration n gets row n, and after the last the first again. Empty: no parameters. */
      readonly rows: readonly Row[];
      readonly defined: ReadonlyMap<string, Value>;
    };

export interface SqlWorkloadOptions {
  readonly target: SqlTarget;
  readonly work: SqlWork;
  /** Names where the pool's settings came from, for the report. Default null. */
  readonly profile?: string | null;
  /** Statements that write are refused unless it is true. */
  readonly allowWrites: boolean;
  readonly clock?: Clock;
  /** Each iteration opens a connection of its own and closes it again, to see what the pool is worth. Default false. */
  readonly unpooled?: boolean;
  /** A statement of the trial before the run is canceled after so long, in milliseconds. Default 60,000. */
  readonly trialLimitMs?: number;
}
