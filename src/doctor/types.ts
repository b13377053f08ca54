import type { Finding } from '../diagnosis/types.js';
import type { Recording } from '../leases/recording.js';
import type { Reading } from '../snapshot/reading.js';
import type { DatabaseReading } from '../snapshot/server.js';
import type { Unknowable } from './unknowable.js';

/** The targets of a check. `settings` are those of the application: its pool's size and its timeouts. */
export type TargetKind = 'postgres' | 'mysql' | 'pgbouncer' | 'pool' | 'sqlite' | 'recording' | 'settings';

export type Status = 'pass' | 'warn' | 'fail' | 'skipped';

/** One thing that can be wrong. To add one: a file in `checks`, its line in the registry, and a test on a real server. */
export interface Check {
  /** Stable, in lower case with hyphens: scripts name it. */
  readonly id: string;
  /** The state in which it passes: a clause without a full stop. */
  readonly title: string;
  /** The kinds of targets without which it has nothing to say: one of each must have been named. */
  readonly needs: readonly TargetKind[];
  /** Kinds that let it say more. */
  readonly uses?: readonly TargetKind[];
  /** Looks at targets that could not be read as well (`targets.unreadable`), and is run where there are only such. */
  readonly judgesUnreadable?: boolean;
  /** The consequence of ignoring it, in a few sentences. */
  readonly why: string;
  /** Further words for `--explain`: what is looked at, where the limits come from, what passes. */
  readonly details: string;
  /**
   * Judges all targets together. What cannot be judged is an outcome of its own (`skipped`, with the reason); an
   * Unknowable that is thrown becomes one. It must not change anything.
   */
  run(context: CheckContext): Promise<readonly Outcome[]> | readonly Outcome[];
}

export interface CheckContext {
  readonly targets: Targets;
  readonly options: DoctorOptions;
  readonly signal: AbortSignal;
}

/** Facts that the user knows and no target reports. null: not given. */
export interface DoctorOptions {
  /** The processes that run the application, each with the pools of the settings. */
  readonly instances: number | null;
  /** The memory of the database server, in bytes. */
  readonly memoryBytes: number | null;
  /** Memory of this machine, which is the server's if it runs here. */
  readonly ownMemoryBytes: number | null;
  /** The open files that PgBouncer may have. */
  readonly fileLimit: number | null;
  /** Longer than this nobody may be idle in a transaction, in milliseconds. */
  readonly idleTransactionMs: number;
  /** Longer than this no query may run, in milliseconds. */
  readonly longQueryMs: number;
  /** Longer than this no client may wait in a pooler's queue, in milliseconds. */
  readonly queueWaitMs: number;
}

/** The result of one check for one target, or for several together. */
export interface Outcome {
  readonly status: Status;
  /** The labels of the targets that it is about; empty where it is about none that is there. */
  readonly subjects: readonly string[];
  /** The finding, in one clause with the decisive figures; for `skipped` the reason. */
  readonly summary: string;
  /** The evidence for the summary, a line each, in the words of the targets: use `printable` to show it. */
  readonly evidence: readonly string[];
  /** The repair; null if the check passes or was skipped. */
  readonly fix: Fix | null;
}

export interface Fix {
  /** In this order. */
  readonly steps: readonly FixStep[];
  /** Side effects of the repair. */
  readonly risk: string;
}

/** One step of a repair: applied as printed it works. */
export interface FixStep {
  readonly kind: FixKind;
  /** The place for the step: the label of a target; null for the application, or if it is obvious. */
  readonly at: string | null;
  /** The role that may do it, if the user of the target's label may not: `a superuser`. */
  readonly as?: string;
  /** One statement, one line of a file, one command, or a sentence for people. */
  readonly text: string;
}

export type FixKind =
  /** A statement for the server, as a role that may; in the database of the target's label. */
  | 'sql'
  /** A line of the section [pgbouncer] in pgbouncer.ini, in the place of one with the same key. */
  | 'ini'
  /** A command for PgBouncer's admin console. */
  | 'console'
  /** The server has to be started anew, so that what was changed before is used. */
  | 'restart'
  /** `NAME=VALUE` in the environment of the application. */
  | 'env'
  /** Something for people, in prose: in the application, or at the target that `at` names. */
  | 'code';

/** All that was named, read or not. */
export interface Targets {
  readonly postgres: readonly PostgresTarget[];
  readonly mysql: readonly MysqlTarget[];
  readonly pgbouncer: readonly PgBouncerTarget[];
  readonly pool: readonly PoolTarget[];
  readonly sqlite: readonly SqliteTarget[];
  readonly recording: readonly RecordingTarget[];
  /** null: nothing is known of the application's settings. */
  readonly settings: AppSettings | null;
  /** Targets of any kind that could not be read. They are not among the others. */
  readonly unreadable: readonly UnreadableTarget[];
  /** The causes of what suffers, from all targets together. Absent where nobody looked. */
  readonly diagnosis?: Diagnosed;
}

/** The causes at this moment, and the pools whose callers wait longer than a burst explains. */
export interface Diagnosed {
  readonly findings: readonly Finding[];
  /** Keys of pools and of poolers' pools. */
  readonly pressed: ReadonlySet<string>;
}

export interface UnreadableTarget {
  readonly kind: Exclude<TargetKind, 'settings'>;
  readonly label: string;
  readonly problem: Problem;
}

export interface Problem {
  readonly message: string;
  readonly hint: string | null;
  /** As the server or the system has it: `28P01`, `ECONNREFUSED`; null where there is none. */
  readonly code: string | null;
}

/** A part of what was to be read; or why it was not. `known(part)` gives it, or skips the check. */
export type Part<T> = { readonly value: T } | Unknowable;

/** A PostgreSQL server, as it was when it was read. */
export interface PostgresTarget {
  readonly kind: 'postgres';
  readonly label: string;
  /** A name, an address, or the folder of a Unix socket; as given, or as the environment has it. */
  readonly host: string;
  readonly port: number;
  /** `18.4`, as it says; and 180004. */
  readonly version: string;
  readonly versionNumber: number;
  /** The database and the role of the connection. */
  readonly database: string;
  readonly role: string;
  readonly isSuperuser: boolean;
  /** Whether it sees what others do (pg_read_all_stats, as pg_monitor has it). */
  readonly seesAll: boolean;
  /** Its address and port by what the server itself says, which a pooler between does not hide; null over a Unix socket. */
  readonly address: string | null;
  readonly ownPort: number | null;
  /** All that the role may see, by name. */
  readonly settings: ReadonlyMap<string, PostgresSetting>;
  /** ALTER ROLE ... SET and ALTER DATABASE ... SET. */
  readonly overrides: Part<readonly PostgresOverride[]>;
  /** Backends of clients, databases with their counters, connections used. */
  readonly reading: Part<Reading>;
  readonly counters: Part<readonly DatabaseCounters[]>;
  /** The backends that hold advisory locks. */
  readonly advisoryLockers: Part<readonly number[]>;
}

/** A MySQL or MariaDB server, as it was when it was read. */
export interface MysqlTarget {
  readonly kind: 'mysql';
  readonly label: string;
  readonly isMariaDb: boolean;
  /** As it says: `10.11.19-MariaDB`. */
  readonly version: string;
  /** The account of the connection, as `app@%`. */
  readonly account: string;
  /** May change global variables. */
  readonly isAdministrator: boolean;
  /** Sees the transactions and the sessions of others (PROCESS). */
  readonly seesAll: boolean;
  /** Global variables, by name in lower case. */
  readonly variables: ReadonlyMap<string, string>;
  /** SHOW GLOBAL STATUS: numbers by name in lower case. */
  readonly status: ReadonlyMap<string, number>;
  readonly reading: Part<Reading>;
}

export interface PostgresSetting {
  /** As it is set, in `unit`: `128`, `on`. */
  readonly value: string;
  /** `8kB`, `ms`, `s`, `kB`; null for none. */
  readonly unit: string | null;
  /** The origin of the value: `default`, `configuration file`, `command line`, `database`, `user`, `client`, ... */
  readonly source: string;
  /** `postmaster` needs a restart, `sighup` a reload. */
  readonly context: string;
  readonly pendingRestart: boolean;
}

export interface PostgresOverride {
  /** null: of all databases, or of all roles. */
  readonly database: string | null;
  readonly role: string | null;
  readonly name: string;
  readonly value: string;
}

/** The sessions of a database since the counters were reset. */
export interface DatabaseCounters extends DatabaseReading {
  /** How long ago that was, in milliseconds; null where it is not known. */
  readonly countedMs: number | null;
}

/** PgBouncer's console, as it was when it was read. Rows are by the columns of whichever version it is. */
export interface PgBouncerTarget {
  readonly kind: 'pgbouncer';
  readonly label: string;
  readonly host: string;
  readonly port: number;
  /** `1.18.0`, or whatever it says. */
  readonly version: string;
  /** The role that asks. */
  readonly user: string;
  readonly config: Part<ReadonlyMap<string, string>>;
  /** Without that of the console itself. */
  readonly databases: Part<readonly ConsoleRow[]>;
  readonly users: Part<readonly ConsoleRow[]>;
  readonly pools: Part<readonly ConsoleRow[]>;
  readonly clients: Part<readonly ConsoleRow[]>;
  readonly servers: Part<readonly ConsoleRow[]>;
  readonly lists: Part<readonly ConsoleRow[]>;
  readonly stats: Part<readonly ConsoleRow[]>;
  /** From 1.19. */
  readonly state: Part<readonly ConsoleRow[]>;
  /** The result of the login through it; null if it was not tried. */
  readonly logins: readonly PoolerLogin[] | null;
  /** How many files its process may have open; known where it runs on this machine and has a pidfile. */
  readonly fileLimit: Part<number>;
  /** How it went away before all was read; null where it did not. */
  readonly gone: string | null;
}

/** One try to log in through a pooler, as the user of a PostgreSQL target. */
export interface PoolerLogin {
  /** The PostgreSQL target's label. */
  readonly server: string;
  readonly role: string;
  /** As the pooler calls it. */
  readonly database: string;
  /** null where it went well. */
  readonly problem: Problem | null;
}

export type ConsoleRow = Readonly<Record<string, unknown>>;

/** An application that publishes its pools. */
export interface PoolTarget {
  readonly kind: 'pool';
  readonly label: string;
  readonly reading: Reading;
}

/** A SQLite file, opened for reading only. */
/** A recording of leases, as `poolctl run --record-leases` wrote it. */
export interface RecordingTarget {
  readonly kind: 'recording';
  readonly label: string;
  readonly recording: Recording;
}

export interface SqliteTarget {
  readonly kind: 'sqlite';
  readonly label: string;
  /** As it was typed. */
  readonly url: string;
  /** Asks for one thing: `PRAGMA journal_mode`. */
  ask(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

/** How the application is set up, as far as it was said by flags, environment or config file. null: not said. */
export interface AppSettings {
  readonly poolSize: number | null;
  /** -1 is no limit. */
  readonly maxOverflow: number | null;
  /** In milliseconds; Infinity is to wait for ever. */
  readonly poolTimeoutMs: number | null;
  /** In milliseconds; Infinity is never. */
  readonly poolRecycleMs: number | null;
  readonly prePing: boolean | null;
  readonly connectTimeoutMs: number | null;
  /** 0 names no statements. */
  readonly prepareThreshold: number | null;
  readonly usePgbouncer: boolean | null;
  /** The limit that the application sends to the server on connect, in milliseconds. */
  readonly statementTimeoutMs: number | null;
}

/** The result of a run of the doctor. */
export interface DoctorResult {
  readonly schema: 1;
  readonly kind: 'doctor';
  readonly targets: readonly ExaminedTarget[];
  /** In the order of the registry. */
  readonly results: readonly CheckResult[];
  readonly counts: Readonly<Record<Status, number>>;
  /** No check failed. */
  readonly passed: boolean;
}

export interface ExaminedTarget {
  readonly kind: TargetKind;
  readonly label: string;
  /** null where it was read. */
  readonly problem: Problem | null;
  /** The target in a few words: `PostgreSQL 18.4, as app`; null if it was not read. */
  readonly what: string | null;
}

export interface CheckResult extends Outcome {
  readonly check: string;
  readonly title: string;
  readonly why: string;
}
