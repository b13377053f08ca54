import { AsyncLocalStorage } from 'node:async_hooks';
import { asError, ignore } from '../base/promises.js';
import type { Lease } from '../pool/lease.js';
import type { Connection, QueryOptions, QueryParams, QueryResult, TransactionOptions } from './connection.js';
import { DatabaseError, queryAborted } from './errors.js';
import { Turns } from './turns.js';

/**
 * A connection on loan, from `getDb()` until `close()`. Best held with `await using`, or through `withSession`.
 *
 * Several parts of a program may use one session at once: their queries take turns, and while one part is in a
 * transaction, those of the others wait for its end.
 */
export interface Session extends AsyncDisposable {
  readonly closed: boolean;
  /** Whether the connection is in a transaction, as the database said last. */
  readonly inTransaction: boolean;
  /**
   * Runs one statement. Rejects with the database's own error and code; with ERR_CONNECTION_LOST if the connection
   * broke, after which the session is over; with ERR_QUERY_ABORTED, ERR_DB_PARAM or ERR_SESSION_CLOSED.
   */
  query<Row = Record<string, unknown>>(
    sql: string,
    params?: QueryParams,
    options?: QueryOptions,
  ): Promise<QueryResult<Row>>;
  /** Runs a script of any number of statements, without parameters or results. */
  exec(sql: string, options?: QueryOptions): Promise<void>;
  /**
   * Runs `work` in a transaction: committed when it returns, rolled back when it throws, and what it threw is thrown
   * on. `work` gets a session of its own, which ends with the transaction; the outer session used inside of `work`
   * means the same. A transaction inside of another is a savepoint, whose options do not matter.
   *
   * `work` must not wait for a query of the same session that another flow has begun meanwhile: that one waits for
   * the end of this transaction.
   */
  transaction<T>(work: (session: Session) => Promise<T> | T, options?: TransactionOptions): Promise<T>;
  /**
   * Gives the connection back; what is still open is rolled back. The connection is released before this returns,
   * so a promise left behind costs nothing; it resolves when the rollback is done. Never rejects, and may be called
   * again. Inside of a transaction, on the session given to `work`, it does nothing.
   */
  close(): Promise<void>;
}

/** Facts that a session needs about its database. */
export interface SessionHost {
  begin(options: TransactionOptions): string;
  /** The reset that is under way on a connection; nothing if there is none. */
  resetOf(connection: Connection): Promise<void> | undefined;
}

export function openSession(lease: Lease<Connection>, host: SessionHost): Session {
  return new Scope(new Loan(lease, host), null);
}

const NO_OPTIONS: QueryOptions = {};

/** The borrowed connection, as the session and its transactions share it. */
class Loan {
  readonly host: SessionHost;
  readonly #lease: Lease<Connection>;
  readonly #connection: Connection;
  closed = false;
  /** Transactions that have begun and not ended. */
  transactions = 0;
  #running = 0;
  /** The reason why the lease ended before `close()`. */
  #lost: Error | null = null;

  constructor(lease: Lease<Connection>, host: SessionHost) {
    this.#lease = lease;
    this.#connection = lease.resource;
    this.host = host;
  }

  /** Nothing may touch the connection unless this is so: somebody else may have it by now. */
  get usable(): boolean {
    return !this.closed && this.#lease.active;
  }

  get inTransaction(): boolean {
    return this.usable && this.#connection.inTransaction;
  }

  /**
   * One promise, and no async function, since every query comes this way. Each function on it also takes one of the ten
   * frames of the stack that an error shows.
   */
  run<T>(work: (connection: Connection) => Promise<T>, ended: () => void = ignore): Promise<T> {
    if (!this.usable) {
      ended();
      return Promise.reject(this.#overError());
    }
    this.#running++;
    let started: Promise<T>;
    try {
      started = work(this.#connection);
    } catch (error) {
      // Drivers may throw instead of rejecting.
      started = Promise.reject(error);
    }
    return started.then(
      (value) => {
        this.#running--;
        ended();
        return value;
      },
      (error: unknown) => {
        this.#running--;
        if (this.#lease.fail(error) !== 'ordinary') this.#lost ??= asError(error);
        ended();
        throw error;
      },
    );
  }

  /** The state of the connection is not known any more: nobody is to get it. */
  giveUp(cause: unknown): void {
    if (!this.usable) return;
    this.#lost = asError(cause);
    this.#lease.invalidate(this.#lost);
  }

  close(): Promise<void> {
    if (this.closed) return Promise.resolve();
    this.closed = true;
    this.#lease[Symbol.dispose]();
    // A query that nobody awaited may take for ever; only the rollback of an open transaction is waited for.
    const reset = this.#running === 0 ? this.host.resetOf(this.#connection) : undefined;
    return reset === undefined ? Promise.resolve() : reset.catch(() => {});
  }

  #overError(): DatabaseError {
    if (this.#lost !== null && !this.closed) {
      return new DatabaseError('ERR_CONNECTION_LOST', `the session is over: ${this.#lost.message}`, {
        cause: this.#lost,
        hint: 'take a new session',
      });
    }
    return this.closed
      ? new DatabaseError('ERR_SESSION_CLOSED', 'the session was used after it had been closed', {
          hint: 'await every query before the session is closed',
        })
      : new DatabaseError('ERR_SESSION_CLOSED', 'the session is over: its pool was closed');
  }
}

interface Flow {
  readonly scope: Scope;
  readonly outer: Flow | undefined;
}

/** The transactions that the calling flow is in, innermost first: by them a session knows its own from other flows. */
const flows = new AsyncLocalStorage<Flow>();

/** A session, or a transaction in it. Calls on one scope take turns; a transaction has its parent's turn throughout. */
class Scope implements Session {
  readonly #loan: Loan;
  readonly #parent: Scope | null;
  readonly #turns = new Turns();
  #over = false;

  constructor(loan: Loan, parent: Scope | null) {
    this.#loan = loan;
    this.#parent = parent;
  }

  get closed(): boolean {
    return this.#over || !this.#loan.usable;
  }

  get inTransaction(): boolean {
    return this.#loan.inTransaction;
  }

  query<Row>(
    sql: string,
    params?: QueryParams,
    options: QueryOptions = NO_OPTIONS,
  ): Promise<QueryResult<Row>> {
    return this.#inTurn(sql, options.signal, (scope) =>
      scope.#loan.run((connection) => connection.query<Row>(sql, params, options), scope.#pass),
    );
  }

  exec(sql: string, options: QueryOptions = NO_OPTIONS): Promise<void> {
    return this.#inTurn(sql, options.signal, (scope) =>
      scope.#loan.run((connection) => connection.exec(sql, options), scope.#pass),
    );
  }

  transaction<T>(work: (session: Session) => Promise<T> | T, options: TransactionOptions = {}): Promise<T> {
    return this.#inTurn(null, undefined, (scope) =>
      scope.#transact(work, options).finally(() => scope.#turns.pass()),
    );
  }

  close(): Promise<void> {
    return this.#parent === null ? this.#loan.close() : Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Calls `work` when it is its turn; that passes the turn on when it has ended. */
  #inTurn<T>(
    sql: string | null,
    signal: AbortSignal | undefined,
    work: (scope: Scope) => Promise<T>,
  ): Promise<T> {
    const scope = this.#innermost();
    if (scope.#over) {
      return Promise.reject(
        new DatabaseError('ERR_TRANSACTION_OVER', 'the session of a transaction was used after its end', {
          hint: 'await every query inside of the transaction',
          sql,
        }),
      );
    }
    const turn = scope.#turns.take(signal, sql);
    if (turn === null && signal === undefined) return work(scope);
    const inTurn = (): Promise<T> => {
      if (signal === undefined || !signal.aborted) return work(scope);
      // Asked here, since an abort that the connection hears of costs the connection.
      scope.#turns.pass();
      return Promise.reject(queryAborted(signal, sql));
    };
    return turn === null ? inTurn() : turn.then(inTurn);
  }

  readonly #pass = (): void => this.#turns.pass();

  /** The innermost transaction within this scope that the calling flow is in, or this scope itself. */
  #innermost(): Scope {
    if (this.#loan.transactions === 0) return this;
    for (let flow = flows.getStore(); flow !== undefined; flow = flow.outer) {
      if (!flow.scope.#over && flow.scope.#isWithin(this)) return flow.scope;
    }
    return this;
  }

  #isWithin(other: Scope): boolean {
    for (let scope: Scope | null = this; scope !== null; scope = scope.#parent)
      if (scope === other) return true;
    return false;
  }

  async #transact<T>(work: (session: Session) => Promise<T> | T, options: TransactionOptions): Promise<T> {
    const loan = this.#loan;
    const { begin, commit, rollback } = this.#statements(options);
    await loan.run((connection) => connection.exec(begin));
    const child = new Scope(loan, this);
    loan.transactions++;
    let result: T;
    try {
      result = await flows.run({ scope: child, outer: flows.getStore() }, async () => work(child));
    } catch (error) {
      await child.#end();
      await this.#rollBack(rollback);
      throw error;
    }
    await child.#end();
    if (loan.usable && !loan.inTransaction) {
      throw new DatabaseError(
        'ERR_TRANSACTION_OVER',
        'there is nothing to commit: a statement has ended the transaction',
        {
          hint: 'look for commit, rollback, or a conflict that rolls back, inside of it',
        },
      );
    }
    try {
      await loan.run((connection) => connection.exec(commit));
    } catch (error) {
      await this.#rollBack(rollback);
      throw error;
    }
    return result;
  }

  #statements(options: TransactionOptions): { begin: string; commit: string; rollback: string } {
    // Also where the user has begun by hand: then the database is in a transaction, and knows only savepoints.
    if (!this.#loan.inTransaction) {
      return { begin: this.#loan.host.begin(options), commit: 'commit', rollback: 'rollback' };
    }
    let depth = 0;
    for (let scope: Scope | null = this; scope !== null; scope = scope.#parent) depth++;
    const name = `poolctl_${depth}`;
    return {
      begin: `savepoint ${name}`,
      commit: `release savepoint ${name}`,
      rollback: `rollback to savepoint ${name}; release savepoint ${name}`,
    };
  }

  /** No more calls; those that were made are let through first. */
  async #end(): Promise<void> {
    this.#over = true;
    this.#loan.transactions--;
    const turn = this.#turns.take(undefined, null);
    if (turn !== null) await turn;
  }

  /** Never throws: what made it necessary is what the caller must see. */
  async #rollBack(rollback: string): Promise<void> {
    if (!this.#loan.inTransaction) return;
    try {
      await this.#loan.run((connection) => connection.exec(rollback));
    } catch (error) {
      this.#loan.giveUp(error);
    }
  }
}
