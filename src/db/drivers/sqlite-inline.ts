import type { Connection, QueryOptions, QueryParams, QueryResult } from '../connection.js';
import { connectionLost, queryAborted } from '../errors.js';
import type { Engine, EngineOptions, Reply, SqliteEngine } from './sqlite-engine.js';
import { failureOf, openEngine } from './sqlite-engine.js';
import type { SqliteFacts } from './sqlite-errors.js';
import { sqliteError } from './sqlite-errors.js';
import { bindable, toResult } from './sqlite-values.js';

/** A connection in the calling thread, which stands still while a statement runs. */
export async function connectInline(options: EngineOptions, facts: SqliteFacts): Promise<Connection> {
  try {
    return new InlineConnection(await openEngine(options), facts);
  } catch (error) {
    throw sqliteError(failureOf(error, 0), facts, { sql: null, inTransaction: false });
  }
}

class InlineConnection implements Connection {
  readonly engine: SqliteEngine;
  #engine: Engine | null;
  readonly #facts: SqliteFacts;
  #inTransaction = false;

  constructor(engine: Engine, facts: SqliteFacts) {
    this.engine = engine.library;
    this.#engine = engine;
    this.#facts = facts;
  }

  get inTransaction(): boolean {
    return this.#inTransaction;
  }

  async query<Row>(sql: string, params?: QueryParams, options: QueryOptions = {}): Promise<QueryResult<Row>> {
    const bound = bindable(params, sql);
    return toResult(this.#run(sql, options, (engine) => engine.query(sql, bound)));
  }

  async exec(sql: string, options: QueryOptions = {}): Promise<void> {
    this.#run(sql, options, (engine) => engine.exec(sql));
  }

  async reopen(): Promise<void> {
    this.#run('open', {}, (engine) => engine.reopen());
  }

  async ping(): Promise<boolean> {
    this.#run('select 1', {}, (engine) => engine.query('select 1', null));
    return true;
  }

  reset(mode: 'rollback' | 'commit'): void {
    if (this.#inTransaction) this.#run(mode, {}, (engine) => engine.exec(mode));
  }

  close(): void {
    this.#engine?.close();
    this.#engine = null;
  }

  onBroken(): () => void {
    return () => {};
  }

  #run(sql: string, { signal }: QueryOptions, work: (engine: Engine) => Reply) {
    // Nothing can abort a statement that runs in this very thread; only one that has not begun.
    if (signal?.aborted) throw queryAborted(signal, sql);
    if (this.#engine === null) throw connectionLost('the connection was closed');
    const reply = work(this.#engine);
    [this.#inTransaction] = reply;
    if (reply.length !== 2) return reply;
    throw sqliteError(reply[1], this.#facts, { sql, inTransaction: this.#inTransaction });
  }
}
