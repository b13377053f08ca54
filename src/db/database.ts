import { maskUrl } from '../base/secrets.js';
import type { Driver, ResetMode } from '../pool/driver.js';
import { PoolError } from '../pool/errors.js';
import { isPoolOption } from '../pool/option-names.js';
import type { AcquireOptions } from '../pool/options.js';
import { QueuePool } from '../pool/queue-pool.js';
import type {
  Connection,
  ConnectOptions,
  DatabaseDriver,
  DatabaseOptions,
  DatabaseTarget,
  DatabaseUrl,
} from './connection.js';
import { cutUrl } from './cut-url.js';
import { DRIVERS } from './drivers/registry.js';
import { DatabaseError } from './errors.js';
import { databaseOptionProblems } from './option-names.js';
import type { Session, SessionHost } from './session.js';
import { openSession } from './session.js';
import { suggestUrl } from './suggest-url.js';

export type { Session } from './session.js';

/** A database behind a pool of connections. */
export interface Database extends AsyncDisposable {
  /** As the pool is named; never holds a password. */
  readonly name: string;
  readonly dialect: string;
  /** Its events, hooks and snapshot are there for use; connections are better borrowed as sessions. */
  readonly pool: QueuePool<Connection>;
  /** The names of URL parameters that have no effect here. */
  readonly ignoredParameters: readonly string[];
  /**
   * Borrows a connection as a session, which the caller must close: `await using session = await db.getDb()`.
   * Rejects as the pool's `acquire` does: ERR_POOL_TIMEOUT, ERR_POOL_CREATE (its cause says why), ERR_POOL_CLOSED.
   */
  getDb(options?: AcquireOptions): Promise<Session>;
  /** Runs `work` with a session that is closed when it returns and when it throws; what it threw is thrown on. */
  withSession<T>(work: (session: Session) => Promise<T> | T, options?: AcquireOptions): Promise<T>;
  /**
   * Closes the pool. Sessions that are out have `graceMs` (default 5,000) to be closed, then their connections are
   * closed under them. Never rejects.
   */
  close(options?: { graceMs?: number }): Promise<void>;
}

/**
 * Makes a database from its URL: `sqlite:app.db`, `sqlite:///var/lib/app.db`, `sqlite::memory:`,
 * `postgres://user@host:5432/database?sslmode=verify-full`, `mysql://user@host:3306/database`, and also the forms of
 * libpq's connection strings, Prisma, SQLAlchemy and JDBC. Nothing is opened before the first session is asked for. Throws ERR_DB_OPTION, naming everything that is wrong with URL and options.
 *
 * ```ts
 * const db = createDatabase('sqlite:app.db', { size: 5 });
 * const orders = await db.withSession((session) => session.query('select * from orders where day = ?', [day]));
 * await db.close();
 * ```
 */
export function createDatabase(url: string, options: DatabaseOptions = {}): Database {
  return makeDatabase(url, options, {});
}

/** The same, for callers within poolctl that connect in a way of their own. */
export function makeDatabase(url: string, options: DatabaseOptions, connect: ConnectOptions): Database {
  // JavaScript passes whatever an unset variable of the environment gives.
  if (typeof url !== 'string') throw optionError(String(url), ['the URL is no text; is a variable not set?']);
  const problems = databaseOptionProblems(options);
  // Code further on takes an object for granted.
  if (typeof options !== 'object' || options === null) throw optionError(url, problems);
  const parts = cutUrl(url);
  const driver = parts === null ? undefined : DRIVERS.get(parts.scheme);
  if (parts === null || driver === undefined) throw optionError(url, [unknownScheme(url, parts)]);
  problems.push(...foreignOptions(driver, options));
  const target = driver.configure(parts, options, problems);
  const resets = new Map<Connection, Promise<void>>();
  const pool = makePool(poolDriver(target, driver.dialect, resets, connect), target, options, problems);
  if (pool === null || problems.length > 0) throw optionError(url, problems);

  const host: SessionHost = {
    begin: target.begin,
    resetOf: (connection) => (resets.size === 0 ? undefined : resets.get(connection)),
  };
  // Not an async function: the pool keeps the caller's stack as the place of acquisition, which ends at an await.
  const getDb = (acquire?: AcquireOptions): Promise<Session> =>
    pool.acquire(acquire).then((lease) => openSession(lease, host));
  return {
    name: pool.name,
    dialect: driver.dialect,
    pool,
    ignoredParameters: parts.ignored ?? [],
    getDb,
    withSession: (work, acquire) => getDb(acquire).then((session) => useSession(session, work)),
    close: (close) => pool.close(close),
    [Symbol.asyncDispose]: () => pool.close(),
  };
}

async function useSession<T>(session: Session, work: (session: Session) => Promise<T> | T): Promise<T> {
  try {
    return await work(session);
  } finally {
    // Never rejects, so what `work` threw stays what is thrown.
    await session.close();
  }
}

/** Collects the pool's complaints with the others instead of throwing them; null if there were any. */
function makePool(
  driver: Driver<Connection>,
  target: DatabaseTarget,
  options: DatabaseOptions,
  problems: string[],
): QueuePool<Connection> | null {
  // The problems of names and types have been found already.
  const own = Object.entries(options).filter(([name, value]) => value !== undefined && isPoolOption(name));
  try {
    return new QueuePool<Connection>({
      name: target.label,
      ...target.poolDefaults,
      ...Object.fromEntries(own),
      driver,
    });
  } catch (error) {
    if (!(error instanceof PoolError)) throw error;
    const texts = error.message.replace(/^pool '.*?': /, '').split('; ');
    problems.push(...texts.filter((text) => !problems.includes(text)));
    return null;
  }
}

function poolDriver(
  target: DatabaseTarget,
  dialect: string,
  resets: Map<Connection, Promise<void>>,
  connect: ConnectOptions,
): Driver<Connection> {
  return {
    name: dialect,
    create: (signal) => target.connect(signal, { ...connect, waitsForServer: true }),
    destroy: (connection) => connection.close(),
    ping: (connection) => connection.ping(),
    reset(connection: Connection, mode: ResetMode): Promise<void> | void {
      const pending = connection.reset(mode);
      if (pending === undefined) return;
      resets.set(connection, pending);
      return pending.finally(() => resets.delete(connection));
    },
    onBroken: (connection, listener) => connection.onBroken(listener),
    isDisconnect: (error) => target.isDisconnect(error),
    isUnfit: (error, connection) => connection.isUnfit?.(error) ?? false,
    isFull: (error) => target.isFull?.(error) ?? false,
    capacity: (connection) => connection.capacity?.() ?? Promise.resolve(null),
  };
}

/** An option of another database would silently have no effect. */
function foreignOptions(driver: DatabaseDriver, options: DatabaseOptions): string[] {
  const others = [...DRIVERS.values()].filter((other) => other !== driver).flatMap((other) => other.options);
  return [...new Set(others)]
    .filter((name) => options[name] !== undefined && !driver.options.includes(name))
    .map((name) => `${name} is no option of ${driver.dialect}`);
}

function unknownScheme(url: string, parts: DatabaseUrl | null): string {
  const known = [...DRIVERS.keys()].join(', ');
  if (url.trim() === '') return 'it is empty; for a SQLite file write sqlite:FILE';
  const meant = suggestUrl(url);
  if (meant !== null) return `unknown scheme; did you mean ${meant}?`;
  // A path, then: also C:\data\app.db, whose drive looks like a scheme.
  if (parts === null) return `it has no scheme; for a SQLite file write sqlite:${url}`;
  return `the scheme '${parts.scheme}' is not known; there is: ${known}`;
}

function optionError(url: string, problems: readonly string[]): DatabaseError {
  return new DatabaseError('ERR_DB_OPTION', `database '${maskUrl(url)}': ${problems.join('; ')}`);
}
