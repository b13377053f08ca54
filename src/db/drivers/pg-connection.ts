import { channel } from 'node:diagnostics_channel';
import { isIP } from 'node:net';
import { onAbort } from '../../base/abort.js';
import { asError, ignore, invoke } from '../../base/promises.js';
import { registerSecret } from '../../base/secrets.js';
import type { ResetMode } from '../../pool/driver.js';
import type {
  Connection,
  ConnectionSight,
  Notice,
  QueryOptions,
  QueryParams,
  QueryResult,
} from '../connection.js';
import { connectionLost, DatabaseError, queryAborted } from '../errors.js';
import { Turns } from '../turns.js';
import { PG_CAPACITY } from './pg-capacity.js';
import { connectError, lost, statementError } from './pg-errors.js';
import { passwordFromFile } from './pg-pass.js';
import { connectFirst, type PgPlace, type PlaceRules } from './pg-places.js';
import { BufferedSocket, type PgRaw, type RawReader, readRaw } from './pg-raw.js';
import { PgSessionState } from './pg-session-state.js';
import {
  type AuthRules,
  attemptsFor,
  goOnWithoutTls,
  guardAuth,
  mayTryNext,
  type TlsAttempt,
  type TlsSettings,
} from './pg-tls.js';
import { bindable, refuseZeroBytes, toResult, typesOf } from './pg-values.js';
import {
  loadPg,
  type Pg,
  type PgClient,
  type PgConfig,
  type PgNotice,
  type PgQuery,
  type PgResult,
  type PgWire,
  type TlsOptions,
} from './pg-wire.js';

export interface PgSettings extends PlaceRules {
  /** Null fields are filled in from the environment, or with the defaults of `pg`. */
  readonly user: string | null;
  readonly password: string | (() => string | Promise<string>) | null;
  readonly database: string | null;
  readonly passwordFile: string | null;
  readonly tls: TlsSettings;
  readonly auth: AuthRules;
  /** null: none. */
  readonly keepAliveMs: number | null;
  /** Told to the server where no application_name was given. */
  readonly applicationName: string;
  readonly session: Pick<PgConfig, 'application_name' | 'options' | SessionLimit>;
  readonly pgbouncer: boolean;
  readonly prepareThreshold: number;
  readonly onNotice: ((notice: Notice) => void) | null;
  /** A connection that refuses to write is what was asked for. */
  readonly isReadOnly: boolean;
  /** Statements are watched for changes of the session, which the reset 'changed' discards. */
  readonly watchesChanges: boolean;
  /** A connect that is given up ends when the server has let go of it. */
  readonly waitsForServer: boolean;
  /** The connection may be taken over as bytes. */
  readonly isRaw: boolean;
}

type SessionLimit = 'statement_timeout' | 'lock_timeout' | 'idle_in_transaction_session_timeout';

/** A request to cancel is one packet, which may be lost once; after this long there is nobody to hear it. */
const CANCEL_TIMEOUT_MS = 2000;
/** After this long a server is not waited for any more that was to open a connection. */
const GIVE_UP_MS = 5000;
/** Statements named on one connection; each takes memory in the server. */
const MOST_NAMED = 200;
const MOST_COUNTED = 2000;

const notices = channel('poolctl:db:notice');

/** Opens a connection. Rejects with what the server or the system says, in typed errors without the password. */
export async function connectPg(settings: PgSettings, signal: AbortSignal): Promise<PgConnection> {
  const pg = await loadPg();
  return connectFirst(settings, signal, (place, inTime) => connectTo(pg, settings, place, inTime));
}

async function connectTo(
  pg: Pg,
  settings: PgSettings,
  place: PgPlace,
  signal: AbortSignal,
): Promise<PgConnection> {
  const [first = false, second] = await attemptsFor(pg, settings.tls, place.host);
  try {
    return await open(pg, settings, place, first, signal, second === false);
  } catch (error) {
    if (second === undefined || signal.aborted || !mayTryNext(error, first)) throw error;
    // The error of the first attempt says more, if the second one changes nothing.
    return open(pg, settings, place, second, signal).catch((other: unknown) => {
      throw signal.aborted || (first !== false && isTlsFault(error)) ? other : error;
    });
  }
}

function isTlsFault(error: unknown): boolean {
  return error instanceof DatabaseError && error.name !== 'PostgresError';
}

async function open(
  pg: Pg,
  settings: PgSettings,
  place: PgPlace,
  ssl: TlsAttempt,
  signal: AbortSignal,
  mayBePlain = false,
): Promise<PgConnection> {
  signal.throwIfAborted();
  const socket = settings.isRaw ? new BufferedSocket() : null;
  const client = new pg.Client({
    ...configOf(pg, settings, place, ssl),
    ...(socket && { stream: () => socket.socket }),
  });
  if (mayBePlain) {
    goOnWithoutTls(client.connection, () => {
      // A request to cancel connects the same way.
      client.ssl = false;
      client.enableChannelBinding = false;
    });
  }
  // Neither in the URL nor in the environment: then it is looked up, if the server asks for one.
  client.password ||= () => passwordFromFile(settings.passwordFile, client);
  const connection = new PgConnection(pg, client, settings, socket);
  let refused: Error | null = null;
  guardAuth(client.connection, settings.auth, (error) => {
    refused = error;
  });
  const stopWatching = onAbort(signal, () =>
    giveUp(client.connection.stream, settings, asError(signal.reason)),
  );
  try {
    await new Promise<void>((resolve, reject) => {
      client.connect((error) => (error ? reject(error) : resolve()));
    });
    if (refused !== null) throw refused;
    await connection.settleNaming();
    connection.opened();
    client.unref();
    return connection;
  } catch (error) {
    client.connection.stream.destroy();
    if (refused !== null) throw refused;
    if (signal.aborted) throw asError(signal.reason);
    throw connectError(error, client, settings.pgbouncer ? 'PgBouncer' : 'PostgreSQL');
  } finally {
    stopWatching();
  }
}

/**
 * Ends a connect. A server that is busy opening its side finds out when it next reads or writes, and closes: that is
 * waited for, since a pool that connected again at once would only add to its load.
 */
function giveUp(stream: PgWire['stream'], { waitsForServer }: PgSettings, cause: Error): void {
  const isOver = 'code' in cause && cause.code === 'ERR_POOL_CLOSED';
  if (!waitsForServer || isOver || cause.name === 'TimeoutError' || !stream.writable || stream.connecting) {
    stream.destroy(cause);
    return;
  }
  stream.end();
  const timer = setTimeout(() => void stream.destroy(cause), GIVE_UP_MS);
  timer.unref();
  stream.once('close', () => clearTimeout(timer));
}

function configOf(pg: Pg, settings: PgSettings, place: PgPlace, ssl: TlsAttempt): PgConfig {
  const { user, database, password, session, keepAliveMs } = settings;
  const { port, address } = place;
  const host = address ?? place.host;
  return {
    ...(host === null ? {} : { host }),
    ...(port === null ? {} : { port }),
    ...(user === null ? {} : { user }),
    ...(database === null ? {} : { database }),
    ...(password === null
      ? {}
      : { password: typeof password === 'string' ? password : () => given(password) }),
    // The certificate is that of the host, wherever it is connected to.
    ssl: address === null || typeof ssl === 'boolean' || place.host === null ? ssl : named(ssl, place.host),
    ...(settings.tls.isDirect && ssl !== false ? { sslnegotiation: 'direct' } : {}),
    enableChannelBinding: ssl !== false && settings.auth.channelBinding !== 'disable',
    ...session,
    fallback_application_name: settings.applicationName,
    keepAlive: keepAliveMs !== null,
    ...(keepAliveMs === null ? {} : { keepAliveInitialDelayMillis: keepAliveMs }),
    types: typesOf(pg.types),
  };
}

function named(ssl: TlsOptions, host: string): TlsOptions {
  const { checkServerIdentity: check } = ssl;
  return {
    servername: isIP(host) === 0 ? host : '',
    ...ssl,
    ...(check === undefined
      ? {}
      : { checkServerIdentity: (_: string, certificate) => check(host, certificate) }),
  };
}

/** The password from the user's function. */
async function given(password: () => string | Promise<string>): Promise<string> {
  const text: unknown = await invoke(async () => password()).catch((cause: unknown) => {
    const message = `the function in the option password failed: ${asError(cause).message}`;
    throw new DatabaseError('ERR_DB_PASSWORD', message, { cause });
  });
  if (typeof text === 'string') {
    registerSecret(text);
    return text;
  }
  throw new DatabaseError(
    'ERR_DB_PASSWORD',
    `the function in the option password gave ${typeof text}, and no text`,
  );
}

/** The statement that runs at this moment. */
interface Pending {
  /** The server is ready for the next query: the outcome of this one counts. */
  ready(): void;
  fail(cause: Error): void;
}

/**
 * Counts answers after which no transaction is open: each has ended one, be it that of a single statement. Those that
 * end several, or begin the next at once (COMMIT AND CHAIN, procedures), it cannot know.
 */
export interface Tally {
  transactions: number;
}

/** A connection to PostgreSQL, or to PgBouncer. Its queries take turns. */
export class PgConnection implements Connection {
  /** The server's own words, as `16.3`; of PgBouncer's admin console, `1.18.0/bouncer`. */
  serverVersion: string | null = null;
  /** Transactions that have ended here, as the server counts them; code that adds several connections up puts its own. */
  tally: Tally = { transactions: 0 };
  readonly #pg: Pg;
  readonly #client: PgClient;
  readonly #settings: PgSettings;
  readonly #socket: BufferedSocket | null;
  /** The reader that has taken it over; null while it runs queries. */
  #reader: RawReader | null = null;
  readonly #turns = new Turns();
  readonly #ended: Promise<void>;
  #pending: Pending | null = null;
  /** The last error of the server or the system, which explains why the connection ended. */
  #lastError: Error | null = null;
  /** Why the connection is of no use any more; null while it works. */
  #broken: Error | null = null;
  #closing = false;
  #listener: ((cause: Error) => void) | null = null;
  #prepareThreshold: number;
  /** How often each statement was run, up to the threshold; its name once it has one. */
  readonly #uses = new Map<string, number | string>();
  #named = 0;
  #lastSql: string | null = null;
  readonly #session: PgSessionState;
  /** The statement that began the transaction; null where none is open. */
  #begunBy: string | null = null;

  constructor(pg: Pg, client: PgClient, settings: PgSettings, socket: BufferedSocket | null) {
    this.#pg = pg;
    this.#client = client;
    this.#settings = settings;
    this.#socket = socket;
    this.#prepareThreshold = settings.pgbouncer ? 0 : settings.prepareThreshold;
    this.#session = new PgSessionState(settings.isReadOnly);
    client.connection.on('parameterStatus', (status) => {
      this.#session.reported(status);
      if (status.parameterName === 'server_version') this.serverVersion = status.parameterValue;
    });
    client.on('drain', () => this.#ready());
    client.on('notice', (notice) => this.#tell(notice));
    client.on('error', (error) => this.#break(error));
    this.#ended = new Promise((resolve) => {
      client.on('end', () => {
        this.#break(null);
        resolve();
      });
    });
  }

  /** From ReadyForQuery, with which the server ends every answer. */
  get inTransaction(): boolean {
    const status = this.#client.getTransactionStatus();
    return status === 'T' || status === 'E';
  }

  /** The pid of pg_stat_activity; of PgBouncer a number of its own. */
  get processId(): number | null {
    return this.#client.processID;
  }

  sight(): ConnectionSight {
    const { localPort } = this.#client.connection.stream;
    return {
      busy: this.#pending !== null,
      lastSql: this.#lastSql,
      localPort: localPort ?? null,
      backendPid: this.processId,
    };
  }

  query<Row>(sql: string, params?: QueryParams, options?: QueryOptions): Promise<QueryResult<Row>> {
    let values: unknown[];
    try {
      values = bindable(params, sql);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#lastSql = sql;
    const finish = lastResult as (result: PgResult | PgResult[]) => QueryResult<Row>;
    // PgBouncer's admin console hangs up on anything else than a simple query.
    if (this.#isConsole) return this.#run({ text: sql }, options?.signal, finish);
    const query: PgQuery = { text: sql, values, queryMode: 'extended' };
    return this.#prepareThreshold === 0
      ? this.#run(query, options?.signal, finish)
      : this.#runNamed(query, options?.signal, finish);
  }

  async exec(sql: string, { signal }: QueryOptions = {}): Promise<void> {
    refuseZeroBytes(sql);
    this.#lastSql = sql;
    await this.#run({ text: sql }, signal, ignore);
  }

  async capacity(): Promise<number | null> {
    if (this.#settings.pgbouncer || this.#isConsole) return null;
    const { rows } = await this.query<{ most: number | null }>(PG_CAPACITY);
    this.#lastSql = null;
    return rows[0]?.most ?? null;
  }

  async ping(): Promise<boolean> {
    // The empty query: answered by the server without any work.
    await this.#run({ text: this.#isConsole ? 'show version' : '' }, undefined, ignore);
    return true;
  }

  reset(mode: ResetMode): Promise<void> | void {
    this.#lastSql = null;
    if (this.#broken !== null) throw this.#broken;
    if (this.#pending !== null) return this.#resetInTurn(mode);
    const discards = mode === 'full' || (mode === 'changed' && this.#session.isChanged);
    if (this.inTransaction || discards) return this.#clean(mode, discards);
  }

  /** Two round trips, since DISCARD ALL must be alone in its message. */
  async #clean(mode: ResetMode, discards: boolean): Promise<void> {
    if (this.inTransaction) {
      // A failed transaction can only be rolled back.
      const isFailed = this.#client.getTransactionStatus() === 'E';
      await this.#run({ text: mode === 'commit' && !isFailed ? 'commit' : 'rollback' }, undefined, ignore);
    }
    if (!discards) return;
    await this.#run({ text: 'discard all' }, undefined, ignore);
    this.#forgetNames();
    this.#session.discarded();
  }

  isUnfit(error: unknown): boolean {
    return this.#session.isReadOnlyAgainstWill(error, /read\s+only/i.test(this.#begunBy ?? ''));
  }

  /** From now on, what changes the session is a borrower's doing. */
  opened(): void {
    this.#session.opened();
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (this.#pending !== null || this.#reader?.isBusy === true)
      this.#abandon(connectionLost('the connection was closed under a running query'));
    else if (this.#broken === null) this.#hangUp();
    await this.#ended;
  }

  /**
   * Hands the connection over as bytes: from now on it runs no queries of its own. It must be idle, and made with `isRaw`.
   */
  takeOver(reader: RawReader): PgRaw {
    const { stream } = this.#client.connection;
    if (this.#socket === null || this.#reader !== null || this.#pending !== null || this.inTransaction)
      throw new Error('only an idle connection that was made for it can be taken over');
    readRaw(this.#client.connection, this.#socket, reader);
    this.#reader = reader;
    this.#client.ref();
    return {
      tally: this.tally,
      isTls: stream !== this.#socket.socket,
      get isFlushed() {
        return stream.writableLength === 0;
      },
      write: (bytes) => void stream.write(bytes),
      cancel: () => this.#cancel(),
      told: (error) => {
        this.#lastError = error;
      },
    };
  }

  onBroken(listener: (cause: Error) => void): () => void {
    this.#listener = listener;
    return () => {
      this.#listener = null;
    };
  }

  /**
   * Gives names up where a pooler is between, which would run the statement on another server than the one that knows
   * the name: the number that the server gave at the start is then not that of its process.
   */
  async settleNaming(): Promise<void> {
    if (this.#prepareThreshold === 0) return;
    const { rows } = await this.#run({ text: 'select pg_backend_pid() as pid' }, undefined, lastResult);
    const [row] = rows as { pid: number }[];
    if (row?.pid !== this.processId) this.#prepareThreshold = 0;
  }

  /**
   * Whether the server knows a prepared statement by the name that was given here. A pooler that follows prepared
   * statements gives them names of its own.
   */
  async namesReachServer(signal: AbortSignal): Promise<boolean> {
    const name = 'poolctl_probe';
    const ask = (text: string, more = {}) => this.#run({ text, ...more }, signal, lastResult);
    // One transaction, so that a pooler uses the same server for all of it.
    await ask('begin');
    await ask('select 1', { name, values: [] });
    const { rows } = await ask(`select name from pg_prepared_statements where name = '${name}'`);
    await ask('rollback');
    return rows.length > 0;
  }

  get #isConsole(): boolean {
    return this.serverVersion?.endsWith('/bouncer') ?? false;
  }

  async #resetInTurn(mode: ResetMode): Promise<void> {
    const turn = this.#turns.take(undefined, null);
    if (turn !== null) await turn;
    this.#turns.pass();
    await this.reset(mode);
  }

  /** Runs a statement in its turn. Without async functions, each of which would cost every query two promises. */
  #run<T>(
    query: PgQuery,
    signal: AbortSignal | undefined,
    finish: (result: PgResult | PgResult[]) => T,
  ): Promise<T> {
    const turn = this.#turns.take(signal, query.text);
    return turn === null
      ? this.#runNow(query, signal, finish)
      : turn.then(() => this.#runNow(query, signal, finish));
  }

  #runNow<T>(
    query: PgQuery,
    signal: AbortSignal | undefined,
    finish: (result: PgResult | PgResult[]) => T,
  ): Promise<T> {
    const fault = this.#whyNot(query.text, signal);
    if (fault !== null) {
      this.#turns.pass();
      return Promise.reject(fault);
    }
    return this.#send(query, signal).then(
      (result) => {
        this.#turns.pass();
        if (this.#settings.watchesChanges) this.#session.ran(query.text, result);
        if (this.#named > 0 && hasDroppedNames(result)) this.#forgetNames();
        refuseFalseCommit(query.text, result);
        return finish(result);
      },
      (error: unknown) => {
        this.#turns.pass();
        if (this.#settings.watchesChanges) this.#session.failed(query.text);
        // Made here, where the stack leads back to the caller.
        throw error instanceof DatabaseError ? error : statementError(error, query.text);
      },
    );
  }

  /** Why nothing can be sent; null if it can. */
  #whyNot(sql: string, signal: AbortSignal | undefined): Error | null {
    if (this.#broken !== null) return this.#broken;
    if (this.#closing) return connectionLost('the connection was closed');
    return signal?.aborted ? queryAborted(signal, sql) : null;
  }

  #send(query: PgQuery, signal: AbortSignal | undefined): Promise<PgResult | PgResult[]> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        if (signal !== undefined) this.#abandon(queryAborted(signal, query.text));
      };
      const stopWatching = signal === undefined ? ignore : onAbort(signal, abort);
      let settle: (() => void) | null = null;
      this.#pending = {
        // Not before: until then the state of the transaction is not known, and after some errors the server hangs up.
        ready() {
          stopWatching();
          settle?.();
        },
        fail(cause) {
          stopWatching();
          reject(cause);
        },
      };
      this.#client.ref();
      const answered = (error: Error | null, result: PgResult | PgResult[]): void => {
        if (error) this.#lastError = error;
        settle ??= error ? () => reject(error) : () => resolve(result);
      };
      const { text, values, name } = query;
      // Means the same, but spares `pg` a copy of the object, which is 5 % of all it does for a small query.
      if (values !== undefined && values.length > 0 && name === undefined) {
        this.#client.query(text, values, answered);
      } else this.#client.query(query, answered);
    });
  }

  #ready(): void {
    const pending = this.#pending;
    this.#pending = null;
    this.#lastError = null;
    if (this.inTransaction) this.#begunBy ??= this.#lastSql;
    else {
      this.tally.transactions++;
      this.#begunBy = null;
    }
    // An idle connection does not keep the process alive; one that runs a query does.
    this.#client.unref();
    pending?.ready();
  }

  async #runNamed<T>(
    query: PgQuery,
    signal: AbortSignal | undefined,
    finish: (result: PgResult | PgResult[]) => T,
  ): Promise<T> {
    const name = this.#nameOf(query.text);
    if (name === null) return this.#run(query, signal, finish);
    try {
      return await this.#run({ ...query, name }, signal, finish);
    } catch (error) {
      if (!isStalePlan(error)) throw error;
      // The table was altered, and nothing has been run. Within a transaction that has failed with it.
      this.#uses.delete(query.text);
      if (this.inTransaction) throw error;
      return this.#run(query, signal, finish);
    }
  }

  /** The name of a statement that is run often; null for the others. */
  #nameOf(sql: string): string | null {
    const known = this.#uses.get(sql) ?? 0;
    if (typeof known === 'string') return known;
    const isDue = known >= this.#prepareThreshold && this.#named < MOST_NAMED;
    const name = isDue ? `poolctl_${++this.#named}` : null;
    if (known > 0 || this.#uses.size < MOST_COUNTED) this.#uses.set(sql, name ?? known + 1);
    return name;
  }

  #forgetNames(): void {
    this.#uses.clear();
    this.#named = 0;
    this.#client.connection.parsedStatements = {};
  }

  /** Says goodbye, and does not wait for an answer, which a server that has gone would never give. */
  #hangUp(): void {
    const { stream } = this.#client.connection;
    stream.once('finish', () => stream.destroy());
    this.#client.end(ignore);
  }

  /** Leaves the running query to the server, and asks it to stop. */
  #abandon(cause: Error): void {
    if (this.#broken !== null) return;
    this.#broken = cause;
    this.#pending?.fail(cause);
    this.#pending = null;
    // The connection stays open until then: PgBouncer knows by it which query is meant.
    void this.#cancel().then(() => void this.#client.connection.stream.destroy());
  }

  /** Sends the request on a connection of its own. Never rejects. */
  #cancel(): Promise<void> {
    const { processID, secretKey, host, port, ssl } = this.#client;
    if (processID === null || secretKey === null) return Promise.resolve();
    return new Promise((resolve) => {
      const wire = new this.#pg.Connection({ ssl });
      const send = (): void => wire.cancel(processID, secretKey);
      wire.on('connect', () => (ssl ? wire.requestSsl() : send()));
      wire.on('sslconnect', send);
      wire.on('error', ignore);
      wire.on('end', resolve);
      wire.stream.setTimeout(CANCEL_TIMEOUT_MS, () => void wire.stream.destroy());
      if (host.startsWith('/')) wire.connect(`${host}/.s.PGSQL.${port}`);
      else wire.connect(port, host);
    });
  }

  #break(error: Error | null): void {
    if (this.#broken !== null || this.#closing) return;
    const cause = lost(this.#lastError ?? error ?? new Error('it was closed by the other side'));
    this.#broken = cause;
    const pending = this.#pending;
    this.#pending = null;
    this.#reader?.lost(cause);
    // A running query gets the error that way, and reports it to the pool.
    if (pending === null) this.#listener?.(cause);
    else pending.fail(cause);
    this.#client.connection.stream.destroy();
  }

  #tell({ severity, code, message, detail, hint }: PgNotice): void {
    const { onNotice } = this.#settings;
    if (onNotice === null && !notices.hasSubscribers) return;
    const notice: Notice = {
      severity: severity ?? 'NOTICE',
      code: code ?? null,
      message: message ?? '',
      detail: detail ?? null,
      hint: hint ?? null,
    };
    notices.publish(notice);
    // In a turn of its own: what a listener throws must not stop the reading of the answer.
    if (onNotice !== null) queueMicrotask(() => onNotice(notice));
  }
}

/** The server says so of a statement whose columns are others than when it was prepared. */
function isStalePlan(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === '0A000' && /cached plan/.test(error.message);
}

function lastResult(result: PgResult | PgResult[]): QueryResult {
  return toResult(Array.isArray(result) ? (result.at(-1) as PgResult) : result);
}

function hasDroppedNames(result: PgResult | PgResult[]): boolean {
  const all = Array.isArray(result) ? result : [result];
  return all.some(({ command }) => command === 'DISCARD' || command === 'DEALLOCATE');
}

/** A commit of a transaction in which a statement failed is answered with ROLLBACK, and no error. */
function refuseFalseCommit(sql: string, result: PgResult | PgResult[]): void {
  const first = Array.isArray(result) ? result[0] : result;
  if (first?.command !== 'ROLLBACK' || !/^\s*(commit|end)\b/i.test(sql)) return;
  throw new DatabaseError('25P02', 'the transaction was rolled back, since a statement in it had failed', {
    hint: 'let the error through, or run what may fail in a transaction within, which is a savepoint',
    sql,
  });
}
