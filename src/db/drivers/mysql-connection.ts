import { onAbort } from '../../base/abort.js';
import { ignore } from '../../base/promises.js';
import type { ResetMode } from '../../pool/driver.js';
import type { Connection, ConnectionSight, QueryOptions, QueryParams, QueryResult } from '../connection.js';
import { connectionLost, DatabaseError, queryAborted } from '../errors.js';
import { splitScript } from '../mysql-tokens.js';
import { Turns } from '../turns.js';
import { MYSQL_CAPACITY } from './mysql-capacity.js';
import { isEnd, lost, statementError } from './mysql-errors.js';
import { type Greeting, type MysqlAccess, type MysqlPlace, type Opened, openMysql } from './mysql-open.js';
import { bindable, executable, headerOf, toResult, written } from './mysql-values.js';
import {
  loadMysql,
  type Mysql,
  type MysqlCallback,
  type MysqlClient,
  type MysqlError,
  type MysqlFields,
  type MysqlRows,
  STATUS,
} from './mysql-wire.js';
import { connectFirst } from './pg-places.js';

export interface MysqlSettings extends MysqlAccess {
  readonly places: readonly MysqlPlace[];
  /** With several places, each attempt may take so long; null: as long as the caller waits. */
  readonly attemptMs: number | null;
  readonly readOnly: boolean;
  /** Limits of the session in ms, and its other settings. */
  readonly session: MysqlSession;
  /** A statement that a connection runs more often than this is prepared. 0: none. */
  readonly prepareThreshold: number;
}

export interface MysqlSession {
  readonly statementTimeoutMs: number | null;
  readonly lockTimeoutMs: number | null;
  /** As JDBC has them: `sql_mode='ANSI',time_zone='+00:00'`. */
  readonly variables: string | null;
}

/** To stop a statement takes a connection of its own; after this long nobody is there to hear it. */
const KILL_TIMEOUT_MS = 5000;
/** The answer to a statement that was stopped comes at once. */
const LAST_ANSWER_MS = 500;
const MOST_COUNTED = 2000;
/** Recognizes statements that may leave state in the session. In doubt they do. */
const LEAVES_STATE =
  /^(?![\s(]*(?:select|with|insert|update|delete|replace|values|show|explain|desc|begin|start|commit|rollback|savepoint|release)\b)|:=|\binto\s+@|_lock`?\s*\(/i;

/** Opens a connection. Rejects with what the server or the system says, in typed errors without the password. */
export async function connectMysql(settings: MysqlSettings, signal: AbortSignal): Promise<MysqlConnection> {
  const mysql = await loadMysql();
  const places = settings.places.map((place) => ({ ...place, address: null }));
  const rules = { places, target: 'any', isShuffled: false, attemptMs: settings.attemptMs } as const;
  return connectFirst(rules, signal, async (place, inTime) => {
    const opened = await openMysql(mysql, settings, place, inTime);
    const connection = new MysqlConnection(mysql, opened, place, settings);
    try {
      await connection.setUp(inTime);
      return connection;
    } catch (error) {
      await connection.close();
      throw error;
    }
  });
}

/**
 * The statements sent, as the server counts its Questions: each statement, and the goodbye. Who adds several connections up puts
 * an own one.
 */
export interface QuestionTally {
  questions: number;
}

/** The statement that runs at this moment. */
interface Pending {
  fail(cause: Error): void;
}

interface Answer {
  readonly rows: MysqlRows;
  readonly fields: MysqlFields | undefined;
}

/** The server that a connection has reached. Behind one address there may be several. */
interface Identity {
  readonly host: unknown;
  readonly port: unknown;
}

/** A connection to MySQL or MariaDB. Its queries take turns. */
export class MysqlConnection implements Connection {
  readonly serverVersion: string;
  readonly isMariaDb: boolean;
  /** The server's number of the connection; of a proxy a number of its own. */
  readonly threadId: number;
  tally: QuestionTally = { questions: 0 };
  readonly #mysql: Mysql;
  readonly #client: MysqlClient;
  readonly #place: MysqlPlace;
  readonly #settings: MysqlSettings;
  readonly #turns = new Turns();
  readonly #ended: Promise<void>;
  readonly #writing: { backslash: boolean; timezone: string };
  readonly #uses = new Map<string, number>();
  #pending: Pending | null = null;
  /** Why the connection is of no use any more; null while it works. */
  #broken: Error | null = null;
  #closing = false;
  #listener: ((cause: Error) => void) | null = null;
  #inTransaction = false;
  #autocommit = true;
  /** Something may have been left in the session that the next borrower would see. */
  #isChanged = false;
  #identity: Identity | null = null;
  #lastSql: string | null = null;

  constructor(mysql: Mysql, { client, greeting }: Opened, place: MysqlPlace, settings: MysqlSettings) {
    this.#mysql = mysql;
    this.#client = client;
    this.#place = place;
    this.#settings = settings;
    this.#writing = { backslash: true, timezone: settings.timezone };
    ({
      version: this.serverVersion,
      isMariaDb: this.isMariaDb,
      threadId: this.threadId,
    } = greeting satisfies Greeting);
    client.on('error', (error) => this.#break(error));
    client.on('end', () => this.#break(null));
    this.#ended = new Promise((resolve) => {
      client.stream.once('close', () => {
        this.#break(null);
        resolve();
      });
    });
    client.stream.unref?.();
  }

  /**
   * As the server said last. It says so with each answer but those that have rows, which open a transaction only where
   * autocommit is off.
   */
  get inTransaction(): boolean {
    return this.#inTransaction;
  }

  sight(): ConnectionSight {
    return {
      busy: this.#pending !== null,
      lastSql: this.#lastSql,
      localPort: this.#client.stream.localPort ?? null,
      backendPid: this.threadId,
    };
  }

  /** Learns which server this is, and sets what the session is to have. */
  async setUp(signal?: AbortSignal): Promise<void> {
    const sql = 'select @@autocommit as autocommit, @@sql_mode as mode, @@hostname as host, @@port as port';
    // A proxy may not know one of them: then no request stops a statement, and the rest is as usual.
    const { rows } = await this.#runText(sql, sql, signal).catch((error: unknown) => {
      if (this.#broken !== null || signal?.aborted) throw error;
      return { rows: [] };
    });
    const [row] = rows as { autocommit: number; mode: string; host: unknown; port: unknown }[];
    this.#autocommit = row?.autocommit !== 0;
    this.#writing.backslash = !/NO_BACKSLASH_ESCAPES/.test(row?.mode ?? '');
    this.#identity = row === undefined ? null : { host: row.host, port: row.port };
    for (const statement of this.#settingStatements()) await this.exec(statement, signal && { signal });
    this.#lastSql = null;
    this.#isChanged = false;
  }

  async query<Row>(
    sql: string,
    params?: QueryParams,
    { signal }: QueryOptions = {},
  ): Promise<QueryResult<Row>> {
    const values = bindable(params, sql, this.#writing);
    this.#lastSql = sql;
    const { rows, fields } = await (this.#isPrepared(sql)
      ? this.#run(sql, (done) => this.#client.execute({ sql, values: values.map(executable) }, done), signal)
      : this.#runText(sql, written(sql, values, this.#writing), signal));
    return toResult<Row>(rows, fields);
  }

  async exec(sql: string, { signal }: QueryOptions = {}): Promise<void> {
    this.#lastSql = sql;
    const statements = splitScript(sql, this.#writing);
    for (const statement of statements) await this.#runText(statement, statement, signal);
  }

  async capacity(): Promise<number | null> {
    const { rows } = await this.query<{ most: number | bigint | null }>(MYSQL_CAPACITY);
    this.#lastSql = null;
    const most = rows[0]?.most ?? null;
    return most === null ? null : Number(most);
  }

  async ping(): Promise<boolean> {
    await this.#run(null, (done) => this.#client.ping((error) => done(error, [])));
    return true;
  }

  reset(mode: ResetMode): Promise<void> | void {
    this.#lastSql = null;
    if (this.#broken !== null) throw this.#broken;
    if (this.#pending !== null) return this.#resetInTurn(mode);
    const how: string = mode;
    if (how === 'full' || (how === 'changed' && this.#isChanged)) return this.#discard();
    if (this.inTransaction) return this.exec(how === 'commit' ? 'commit' : 'rollback');
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (this.#pending !== null) {
      this.#abandon(connectionLost('the connection was closed under a running query'));
    } else if (this.#broken === null) {
      this.tally.questions++;
      hangUp(this.#client);
    }
    await this.#ended;
  }

  onBroken(listener: (cause: Error) => void): () => void {
    this.#listener = listener;
    return () => {
      this.#listener = null;
    };
  }

  /** A server that has become a replica works, and takes no writes. */
  isUnfit(error: unknown): boolean {
    if (this.#settings.readOnly || !(error instanceof DatabaseError)) return false;
    const { code, message } = error;
    return (
      code === 'ER_READ_ONLY_MODE' || (code === 'ER_OPTION_PREVENTS_STATEMENT' && /read.only/i.test(message))
    );
  }

  /**
   * COM_RESET_CONNECTION drops variables, temporary tables, locks and prepared statements, so the settings must be
   * applied again.
   */
  async #discard(): Promise<void> {
    await this.#run(null, (done) => this.#client.reset((error) => done(error, [])));
    this.#inTransaction = false;
    this.#uses.clear();
    await this.setUp();
  }

  /** Each of a kind: some servers know only one of them. */
  #settingStatements(): string[] {
    const { readOnly, session } = this.#settings;
    const { statementTimeoutMs, lockTimeoutMs, variables } = session;
    const limits = [
      ...(statementTimeoutMs === null
        ? []
        : [
            this.isMariaDb
              ? `max_statement_time = ${statementTimeoutMs / 1000}`
              : `max_execution_time = ${statementTimeoutMs}`,
          ]),
      ...(lockTimeoutMs === null
        ? []
        : [`innodb_lock_wait_timeout = ${Math.max(1, Math.ceil(lockTimeoutMs / 1000))}`]),
      ...(variables === null ? [] : [variables]),
    ];
    return [
      ...(limits.length === 0 ? [] : [`set session ${limits.join(', ')}`]),
      ...(readOnly ? ['set session transaction read only'] : []),
    ];
  }

  #isPrepared(sql: string): boolean {
    const { prepareThreshold } = this.#settings;
    if (prepareThreshold === 0) return false;
    const uses = this.#uses.get(sql) ?? 0;
    if (uses > 0 || this.#uses.size < MOST_COUNTED) this.#uses.set(sql, uses + 1);
    return uses >= prepareThreshold;
  }

  async #resetInTurn(mode: ResetMode): Promise<void> {
    const turn = this.#turns.take(undefined, null);
    if (turn !== null) await turn;
    this.#turns.pass();
    await this.reset(mode);
  }

  #runText(sql: string, text: string, signal?: AbortSignal): Promise<Answer> {
    return this.#run(sql, (done) => this.#client.query({ sql: text }, done), signal);
  }

  /** `sql` null: no statement, but a command of the protocol. */
  async #run(
    sql: string | null,
    start: (done: MysqlCallback) => void,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const turn = this.#turns.take(signal, sql);
    if (turn !== null) await turn;
    try {
      if (this.#broken !== null) throw this.#broken;
      if (this.#closing) throw connectionLost('the connection was closed');
      if (signal?.aborted) throw queryAborted(signal, sql);
      try {
        return await this.#send(sql, start, signal);
      } catch (error) {
        if (error instanceof DatabaseError) throw error;
        await this.#askStatus(sql);
        // Made here, where the stack leads back to the caller.
        throw statementError(error, sql ?? '', this.isMariaDb);
      }
    } finally {
      this.#turns.pass();
    }
  }

  #send(
    sql: string | null,
    start: (done: MysqlCallback) => void,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const stopWatching =
        signal === undefined ? ignore : onAbort(signal, () => this.#abandon(queryAborted(signal, sql)));
      const pending: Pending = {
        fail(cause) {
          stopWatching();
          reject(cause);
        },
      };
      this.#pending = pending;
      const { stream } = this.#client;
      // An idle connection does not keep the process alive; one that runs a query does.
      stream.ref?.();
      if (sql !== null) {
        this.tally.questions++;
        this.#isChanged ||= LEAVES_STATE.test(sql);
      }
      start((error, rows, fields) => {
        if (this.#pending !== pending) return;
        if (error && isEnd(error, this.isMariaDb)) {
          this.#break(error);
          return;
        }
        this.#pending = null;
        stream.unref?.();
        stopWatching();
        if (error) reject(error);
        else {
          this.#note(rows, fields);
          resolve({ rows: rows ?? [], fields });
        }
      });
    });
  }

  #note(rows: MysqlRows | undefined, fields: MysqlFields | undefined): void {
    const header = headerOf(rows, fields);
    if (header !== null) {
      this.#inTransaction = (header.serverStatus & STATUS.inTransaction) !== 0;
      this.#autocommit = (header.serverStatus & STATUS.autocommit) !== 0;
      this.#writing.backslash = (header.serverStatus & STATUS.noBackslash) === 0;
    } else if (!this.#autocommit && fields !== undefined) this.#inTransaction = true;
  }

  /** An error may have ended the transaction, and does not say so. */
  async #askStatus(sql: string | null): Promise<void> {
    const mayHaveBegun = sql !== null && /\b(?:call|begin|execute)\b/i.test(sql);
    if (this.#broken !== null || (!this.#inTransaction && !mayHaveBegun)) return;
    const text = 'do 0';
    await this.#send(text, (done) => this.#client.query({ sql: text }, done), undefined).catch(ignore);
  }

  /** Leaves the running query to the server, and asks it to stop. */
  #abandon(cause: Error): void {
    if (this.#broken !== null) return;
    this.#broken = cause;
    this.#pending?.fail(cause);
    this.#pending = null;
    const { stream } = this.#client;
    const destroy = (): void => void stream.destroy();
    // The connection stays open until then, so that its number is nobody else's.
    void this.#kill().then(() => {
      if (stream.destroyed) return;
      // Behind the answer, which is there at once, so that the server sees a goodbye.
      this.tally.questions++;
      this.#client.end();
      const timer = setTimeout(destroy, LAST_ANSWER_MS);
      stream.once('end', destroy);
      stream.once('close', () => clearTimeout(timer));
    });
  }

  /** Stops the statement from a connection of its own, if that comes to the same server. Never rejects. */
  async #kill(): Promise<void> {
    const signal = AbortSignal.timeout(KILL_TIMEOUT_MS);
    const own = this.#identity;
    if (own === null || this.threadId === 0) return;
    try {
      const { client } = await openMysql(this.#mysql, this.#settings, this.#place, signal);
      client.on('error', ignore);
      const stopWatching = onAbort(signal, () => void client.stream.destroy());
      const ask = (sql: string): Promise<MysqlRows> =>
        new Promise((resolve, reject) => {
          this.tally.questions++;
          client.query({ sql }, (error, rows) => (error ? reject(error) : resolve(rows ?? [])));
        });
      try {
        const [other] = (await ask('select @@hostname as host, @@port as port')) as Identity[];
        if (other !== undefined && other.host === own.host && other.port === own.port)
          await ask(`kill query ${this.threadId}`);
      } finally {
        this.tally.questions++;
        hangUp(client);
        stopWatching();
      }
    } catch {
      // The server has no place for another connection, or is gone; closing this one is all that is left.
    }
  }

  #break(error: MysqlError | null): void {
    if (this.#broken !== null || this.#closing) return;
    const cause = lost(error ?? new Error('the server closed it'), this.isMariaDb);
    this.#broken = cause;
    const pending = this.#pending;
    this.#pending = null;
    // A running query gets the error that way, and reports it to the pool.
    if (pending === null) this.#listener?.(cause);
    else pending.fail(cause);
    this.#client.stream.destroy();
  }
}

/** The goodbye is sent, and no answer waited for: a server that has gone would never give it. */
function hangUp(client: MysqlClient): void {
  client.end();
  client.stream.end(() => void client.stream.destroy());
}
