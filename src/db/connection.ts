import type { ResetMode } from '../pool/driver.js';
import type { PoolOptions } from '../pool/options.js';

/**
 * Positional parameters, or named ones where the database has those. Numbers, strings, BigInts, booleans, Dates,
 * bytes (Uint8Array, Buffer) and null can be bound; `undefined` is refused, since it is nearly always a mistake.
 */
export type QueryParams = readonly unknown[] | Readonly<Record<string, unknown>>;

export interface QueryOptions {
  /**
   * Gives the query up. While it waits for its turn that costs nothing. Once it runs, the connection is closed with
   * it and the session is over; other sessions are not touched.
   */
  readonly signal?: AbortSignal;
}

export interface QueryResult<Row = Record<string, unknown>> {
  readonly rows: Row[];
  readonly columns: readonly string[];
  /** Rows returned; for a statement that returns none, rows changed. */
  readonly rowCount: number;
  /**
   * The key of the last row that an INSERT made, of MySQL that of its first row; null for other statements, and where
   * the database has no such thing.
   */
  readonly lastInsertRowid: number | bigint | null;
}

export interface TransactionOptions {
  /**
   * SQLite only: when the write lock is taken. Default 'immediate', at once, waiting up to the busy timeout. A 'deferred'
   * one takes it at its first write, and there fails with SQLITE_BUSY without waiting if another has written since.
   */
  readonly mode?: 'deferred' | 'immediate' | 'exclusive';
  /** Only reads: takes no write lock in SQLite; PostgreSQL and MySQL refuse all else. */
  readonly readOnly?: boolean;
}

/** A message of a database beside its results. PostgreSQL sends warnings and the texts of RAISE NOTICE. */
export interface Notice {
  /** 'NOTICE', 'WARNING', 'INFO', ... */
  readonly severity: string;
  readonly code: string | null;
  readonly message: string;
  readonly detail: string | null;
  readonly hint: string | null;
}

/** The connection that a database driver makes and the pool lends. Sessions are the usual way to it. */
export interface Connection {
  /** As the database said with its last answer. */
  readonly inTransaction: boolean;
  /** SQLite: the library that runs it. */
  readonly engine?: 'better-sqlite3' | 'node:sqlite';
  query<Row = Record<string, unknown>>(
    sql: string,
    params?: QueryParams,
    options?: QueryOptions,
  ): Promise<QueryResult<Row>>;
  /** Runs a script of any number of statements, without parameters or results. */
  exec(sql: string, options?: QueryOptions): Promise<void>;
  ping(): Promise<boolean>;
  /**
   * Ends an open transaction, and with 'full' and 'changed' discards the rest of the session's state. Returns nothing if
   * there is nothing to do. Waits for a query that is still running.
   */
  reset(mode: ResetMode): Promise<void> | void;
  close(): Promise<void> | void;
  /**
   * SQLite: closes the database and opens it anew on the same thread, so that what opening costs can be measured
   * without what starting a thread costs.
   */
  reopen?(): Promise<void>;
  /** Whether an error means that it works but must not be lent again: its server has become read-only. */
  isUnfit?(error: unknown): boolean;
  /**
   * How many connections the server allows this user at most, for an adaptive pool; null where it does not say, or a
   * pooler is between.
   */
  capacity?(): Promise<number | null>;
  /** How it looks from outside while it is lent, for watchers; not there where nothing is known. */
  sight?(): ConnectionSight;
  /** Calls back once if the connection breaks while no query is running; those that run are rejected instead. */
  onBroken(listener: (cause: Error) => void): () => void;
}

/** The state of a connection at one moment. */
export interface ConnectionSight {
  /** Whether a query is under way. */
  readonly busy: boolean;
  /** The last SQL of this borrower; null while there was none. */
  readonly lastSql: string | null;
  /** null over a Unix socket. */
  readonly localPort: number | null;
  readonly backendPid: number | null;
}

/** A kind of database. To add one: write this, and its line in the registry. */
export interface DatabaseDriver {
  readonly dialect: string;
  /** The options that it has beside the pool's; the others are refused. */
  readonly options: readonly (keyof DatabaseOptions)[];
  /** Reads what the user asked for, and adds to `problems` what is wrong with it. Opens nothing, loads nothing. */
  configure(url: DatabaseUrl, options: DatabaseOptions, problems: string[]): DatabaseTarget;
}

export interface ConnectOptions {
  readonly waitsForServer?: boolean;
  /** PostgreSQL: the connection can be taken over as bytes. */
  readonly isRaw?: boolean;
}

/** One database, as configured. */
export interface DatabaseTarget {
  /** Names it in messages; never holds a password. */
  readonly label: string;
  readonly poolDefaults: PoolDefaults;
  /**
   * Opens a connection. After an abort it rejects at once, and leaves a server that is still opening its side to itself.
   * With `waitsForServer` it rejects only when the server has closed its side too, or has not done so for long.
   */
  connect(signal: AbortSignal, options?: ConnectOptions): Promise<Connection>;
  /** Whether an error means that the connection is gone. */
  isDisconnect(error: unknown): boolean;
  /** Whether the server refused a connection because it has no more of them. */
  isFull?(error: unknown): boolean;
  /** The statement that begins a transaction. */
  begin(options: TransactionOptions): string;
}

/** A database URL, cut into its parts and not decoded: what they mean is the driver's to say. */
export interface DatabaseUrl {
  readonly scheme: string;
  /** The part after `scheme:`, up to the question mark. */
  readonly rest: string;
  readonly params: URLSearchParams;
  /** Names of parameters that are of no use here, and were left out. */
  readonly ignored?: readonly string[];
  /** Problems with the URL as it was typed. */
  readonly problems?: readonly string[];
}

export type PoolDefaults = Omit<PoolOptions<Connection>, 'driver'>;

/** The pool's options with the dialect's defaults, and those of the database itself. Durations are in milliseconds. */
export interface DatabaseOptions extends PoolDefaults {
  /**
   * SQLite: where statements run. Default 'worker': each connection on a thread of its own, so that they run side
   * by side. 'inline': in the calling thread, which stands still meanwhile; quickest for small in-process use.
   */
  readonly mode?: 'worker' | 'inline';
  /** Opens the database for reading only. Default false. */
  readonly readOnly?: boolean;
  /** SQLite: the file must be there already. Default: as readOnly, else false, and a missing file is created. */
  readonly mustExist?: boolean;
  /** SQLite: how long a statement waits for a lock. Default 5,000. */
  readonly busyTimeoutMs?: number;
  /**
   * SQLite: 'wal' (default) turns on the write-ahead log, so that readers and a writer do not block each other; the
   * file keeps it. 'keep' leaves the file as it is. A file opened readOnly is always left as it is.
   */
  readonly journal?: 'wal' | 'keep';
  /** SQLite, mode 'worker': the heap of each thread, in MB; a larger result ends that connection. Default: Node's. */
  readonly workerHeapMb?: number;
  /**
   * SQLite: the library that runs it. Default: the package better-sqlite3 where it is installed and built, else
   * node:sqlite, which Node has from 22.13 on.
   */
  readonly engine?: 'better-sqlite3' | 'node:sqlite';
  /**
   * PostgreSQL and MySQL: instead of one in the URL; a function is asked for each connection. Default for PostgreSQL:
   * PGPASSWORD, then the password file, and that only if the server asks for one.
   */
  readonly password?: string | (() => string | Promise<string>);
  /** PostgreSQL: the password file. Default `~/.pgpass`. */
  readonly passwordFile?: string;
  /**
   * PostgreSQL: PgBouncer in transaction mode is between. Nothing is sent that it does not take, no statement is given
   * a name, and the pool is smaller by default, as the server's connections are pooled once more. Default false.
   */
  readonly pgbouncer?: boolean;
  /**
   * PostgreSQL and MySQL: a statement that a connection runs more often than this is prepared, which spares the server
   * its parsing. Default 0: none. Never where a pooler is found between.
   */
  readonly prepareThreshold?: number;
  /** PostgreSQL: told of every notice, which is also published on the diagnostics channel 'poolctl:db:notice'. */
  readonly onNotice?: (notice: Notice) => void;
}
