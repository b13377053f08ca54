import { ignore } from '../base/promises.js';
import { ValueError } from '../base/units.js';
import type { Connection, DatabaseTarget } from '../db/connection.js';
import { cutUrl } from '../db/cut-url.js';
import { pgDriver } from '../db/drivers/pg.js';
import { accessOptions, locatePostgres, serverUrl } from '../db/postgres-place.js';
import { addressError, SourceError } from './errors.js';

/** Asks one question, and gives its rows. */
export type Ask = <Row = Readonly<Record<string, unknown>>>(sql: string) => Promise<readonly Row[]>;

/** One connection for the questions of a source: opened when it is needed, and anew after it has broken. */
export class ServerConnection {
  readonly #target: DatabaseTarget;
  #open: Connection | null = null;
  #closed = false;

  constructor(target: DatabaseTarget) {
    this.#target = target;
  }

  /** As it is shown; holds no password. */
  get label(): string {
    return this.#target.label;
  }

  /** A mere statement error thrown by `work` leaves the connection as it is. */
  async use<T>(work: (ask: Ask) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const connection = this.#open ?? (await this.#connect(signal));
    try {
      return await work(
        async <Row>(sql: string) => (await connection.query<Row>(sql, undefined, { signal })).rows,
      );
    } catch (error) {
      if (signal.aborted || this.#target.isDisconnect(error)) this.#drop(connection);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const connection = this.#open;
    this.#open = null;
    await connection?.close();
  }

  async #connect(signal: AbortSignal): Promise<Connection> {
    const connection = await this.#target.connect(signal);
    // Broken while nobody asks anything: the next question goes to a new one.
    connection.onBroken(() => this.#drop(connection));
    if (this.#closed) {
      this.#drop(connection);
      throw new SourceError('ERR_SOURCE_UNREACHABLE', 'the source has been closed');
    }
    this.#open = connection;
    return connection;
  }

  /** Its end is not waited for: where the network is down, that takes long. */
  #drop(connection: Connection): void {
    if (this.#open === connection) this.#open = null;
    Promise.resolve(connection.close()).catch(ignore);
  }
}

/**
 * The server that a `postgres://` URL means, filled up from the environment. Throws a SourceError that names all that
 * is wrong with it.
 */
export function serverAt(
  url: string,
  env: Readonly<Record<string, string | undefined>>,
  asTyped = url,
): ServerConnection {
  const problems: string[] = [];
  const parts = cutUrl(url);
  if (parts !== null) pgDriver.configure(parts, {}, problems);
  if (parts === null || problems.length > 0) throw wrongUrl(asTyped, problems.join('; '));
  try {
    const place = locatePostgres(url, env);
    const located = cutUrl(serverUrl(place.url));
    if (located === null) throw new ValueError('it is no URL');
    const access = { ...place, pgbouncer: false, prepareThreshold: null, connectTimeoutMs: null };
    return new ServerConnection(pgDriver.configure(located, accessOptions(access), problems));
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw wrongUrl(asTyped, `${error.message} (with what the environment adds)`);
  }
}

function wrongUrl(url: string, what: string): Error {
  const isConsole = /^pgbouncer:/i.test(url);
  const form = isConsole ? 'pgbouncer://user@host:port/' : 'postgres://user@host:port/database';
  return addressError(url, what, `write ${form}`);
}
