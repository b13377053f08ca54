import { Worker } from 'node:worker_threads';
import { onAbort } from '../../base/abort.js';
import { Deque } from '../../base/deque.js';
import { asError } from '../../base/promises.js';
import type { ResetMode } from '../../pool/driver.js';
import type { Connection, QueryOptions, QueryParams, QueryResult } from '../connection.js';
import { connectionLost, queryAborted } from '../errors.js';
import type { Answer, EngineOptions, Failure, Reply, SqliteEngine } from './sqlite-engine.js';
import type { SqliteFacts } from './sqlite-errors.js';
import { sqliteError } from './sqlite-errors.js';
import { bindable, toResult } from './sqlite-values.js';
import type { Request } from './sqlite-worker.js';

export interface ThreadOptions {
  readonly engine: EngineOptions;
  readonly facts: SqliteFacts;
  /** In MB; null leaves it to Node. */
  readonly heapMb: number | null;
}

/** A connection on a thread of its own. Opening takes some 30 ms, nearly all of it to start the thread. */
export function connectThread(options: ThreadOptions, signal: AbortSignal): Promise<Connection> {
  const worker = new Worker(new URL('./sqlite-worker.js', import.meta.url), {
    workerData: options.engine,
    // The parent's flags are not for it: `--input-type` even keeps a thread from starting, `--import` costs each one.
    execArgv: [],
    ...(options.heapMb === null ? {} : { resourceLimits: { maxOldGenerationSizeMb: options.heapMb } }),
  });
  return new Promise((resolve, reject) => {
    const fail = (error: Error, end: () => unknown = () => worker.terminate()): void => {
      settle();
      // A late message of a thread must not crash the process.
      worker.on('error', () => {});
      end();
      reject(error);
    };
    const abort = (): void => {
      const error = asError(signal.reason);
      // A thread that may have the file open already must close it, or what SQLite puts beside it would stay.
      if (options.engine.tidy) fail(error, () => worker.postMessage(null satisfies Request));
      else fail(error);
    };
    const exit = (code: number): void =>
      fail(connectionLost(`the SQLite thread ended while it was starting, with exit code ${code}`));
    const answer = ([, opened]: [boolean, SqliteEngine | Failure]): void => {
      if (typeof opened === 'object') {
        fail(sqliteError(opened, options.facts, { sql: null, inTransaction: false }));
        return;
      }
      settle();
      resolve(new ThreadConnection(worker, options, opened));
    };
    const settle = (): void => {
      signal.removeEventListener('abort', abort);
      worker.off('error', fail).off('exit', exit).off('message', answer);
    };
    worker.on('error', fail).on('exit', exit).on('message', answer);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
  });
}

interface Pending {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

class ThreadConnection implements Connection {
  readonly engine: SqliteEngine;
  readonly #worker: Worker;
  readonly #facts: SqliteFacts;
  readonly #pending = new Deque<Pending>();
  readonly #exited: Promise<void>;
  #inTransaction = false;
  /** Why the connection is of no use any more; null while it works. */
  #broken: Error | null = null;
  #closing = false;
  #listener: ((cause: Error) => void) | null = null;
  /** Called when no query is under way any more. */
  #onQuiet: (() => void) | null = null;

  constructor(worker: Worker, { facts }: ThreadOptions, engine: SqliteEngine) {
    this.engine = engine;
    this.#worker = worker;
    this.#facts = facts;
    let crash: Error | undefined;
    worker.on('message', (reply: Reply) => this.#answered(reply));
    worker.on('error', (error) => {
      crash = asError(error);
    });
    this.#exited = new Promise((resolve) => {
      worker.on('exit', (code) => {
        this.#ended(code, crash);
        resolve();
      });
    });
    // An idle connection does not keep the process alive; one that runs a query does.
    worker.unref();
  }

  get inTransaction(): boolean {
    return this.#inTransaction;
  }

  async query<Row>(sql: string, params?: QueryParams, options?: QueryOptions): Promise<QueryResult<Row>> {
    return toResult(await this.#run(sql, [sql, bindable(params, sql)], options));
  }

  async exec(sql: string, options?: QueryOptions): Promise<void> {
    await this.#run(sql, [sql], options);
  }

  async reopen(): Promise<void> {
    await this.#run('open', []);
  }

  async ping(): Promise<boolean> {
    await this.#run('select 1', ['select 1', null]);
    return true;
  }

  reset(mode: ResetMode): Promise<void> | void {
    if (this.#broken !== null) throw this.#broken;
    if (this.#pending.length > 0) return this.#quiet().then(() => this.reset(mode));
    if (this.#inTransaction) return this.exec(mode);
  }

  close(): Promise<void> {
    if (this.#broken === null && !this.#closing) {
      this.#closing = true;
      this.#worker.ref();
      if (this.#pending.length > 0)
        this.#terminate(connectionLost('the connection was closed under a running query'));
      else this.#worker.postMessage(null satisfies Request);
    }
    return this.#exited;
  }

  onBroken(listener: (cause: Error) => void): () => void {
    this.#listener = listener;
    return () => {
      this.#listener = null;
    };
  }

  async #run(sql: string, request: Request, { signal }: QueryOptions = {}): Promise<Answer> {
    const reply = await this.#send(sql, request, signal);
    if (reply.length !== 2) return reply;
    // Made here, where the stack leads back to the caller.
    throw sqliteError(reply[1], this.#facts, { sql, inTransaction: reply[0] });
  }

  #send(sql: string, request: Request, signal: AbortSignal | undefined): Promise<Reply> {
    if (this.#broken !== null) return Promise.reject(this.#broken);
    if (this.#closing) return Promise.reject(connectionLost('the connection was closed'));
    if (signal?.aborted) return Promise.reject(queryAborted(signal, sql));
    return new Promise((resolve, reject) => {
      const pending = { resolve, reject };
      this.#pending.push(
        signal === undefined
          ? pending
          : abortable(pending, signal, () => this.#terminate(queryAborted(signal, sql))),
      );
      if (this.#pending.length === 1) this.#worker.ref();
      this.#worker.postMessage(request);
    });
  }

  #answered(reply: Reply): void {
    [this.#inTransaction] = reply;
    const pending = this.#pending.shift();
    if (this.#pending.length === 0) this.#becomeQuiet();
    pending?.resolve(reply);
  }

  #becomeQuiet(): void {
    if (!this.#closing) this.#worker.unref();
    this.#onQuiet?.();
    this.#onQuiet = null;
  }

  #quiet(): Promise<void> {
    return new Promise((resolve) => {
      this.#onQuiet = resolve;
    });
  }

  /**
   * SQLite's own work cannot be interrupted from another thread: the caller is free at once, the thread ends when the
   * statement does.
   */
  #terminate(cause: Error): void {
    this.#broken = cause;
    for (let pending = this.#pending.shift(); pending !== undefined; pending = this.#pending.shift()) {
      pending.reject(cause);
    }
    this.#onQuiet?.();
    void this.#worker.terminate();
  }

  #ended(code: number, crash: Error | undefined): void {
    if (this.#broken !== null || (this.#closing && this.#pending.length === 0)) return;
    const outOfMemory = crash !== undefined && 'code' in crash && crash.code === 'ERR_WORKER_OUT_OF_MEMORY';
    const cause = connectionLost(
      `the SQLite thread ended unexpectedly, with ${crash === undefined ? `exit code ${code}` : `'${crash.message}'`}`,
      crash,
      outOfMemory
        ? 'the result was too large: ask for fewer rows at a time, or raise workerHeapMb'
        : undefined,
    );
    this.#broken = cause;
    // A running query gets the error that way, and reports it to the pool.
    if (this.#pending.length === 0) this.#listener?.(cause);
    this.#terminate(cause);
  }
}

/** A pending query that leaves its signal alone once it is settled. */
function abortable({ resolve, reject }: Pending, signal: AbortSignal, abort: () => void): Pending {
  const stopWatching = onAbort(signal, abort);
  return {
    resolve(reply) {
      stopWatching();
      resolve(reply);
    },
    reject(error) {
      stopWatching();
      reject(error);
    },
  };
}
