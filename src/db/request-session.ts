import { AsyncLocalStorage } from 'node:async_hooks';
import type { AcquireOptions } from '../pool/options.js';
import type { Database } from './database.js';
import { DatabaseError } from './errors.js';
import type { Session } from './session.js';

/**
 * One session per request: opened by the first `currentSession()`, shared by all that serve the request, and closed
 * when the response has been sent or the client has gone. For Express, Connect, and whatever takes such a function;
 * in Fastify as `app.addHook('onRequest', (request, reply, done) => perRequest(request.raw, reply.raw, done))`.
 *
 * ```ts
 * app.use(sessionPerRequest(db));
 * app.get('/orders', async (request, response) => {
 *   const session = await currentSession();
 *   response.json((await session.query('select * from orders')).rows);
 * });
 * ```
 *
 * When the client goes in the middle of a transaction, that is rolled back, and the handler's next query is rejected
 * with ERR_SESSION_CLOSED. Work that outlives the request takes a session of its own: `db.withSession`.
 */
export function sessionPerRequest(
  db: Database,
  options: AcquireOptions = {},
): (request: unknown, response: ResponseLike, next: (error?: unknown) => void) => void {
  return (_request, response, next) => {
    const scope = new RequestScope(db, options, scopes.getStore());
    const end = (): void => void scope.end();
    // 'close' follows 'finish' in node:http and comes alone if the client goes; what imitates it may have but one.
    response.once('finish', end);
    response.once('close', end);
    if (response.closed === true || response.destroyed === true) end();
    scopes.run(scope, next);
  };
}

/**
 * The same around any function, for handlers that return when they are done: Koa and Hono
 * (`app.use((context, next) => runWithSession(db, next))`), fetch-style servers, queue consumers, jobs.
 * The session is closed when `work` has returned or thrown.
 */
export async function runWithSession<T>(
  db: Database,
  work: () => Promise<T> | T,
  options: AcquireOptions = {},
): Promise<T> {
  const scope = new RequestScope(db, options, scopes.getStore());
  try {
    return await scopes.run(scope, async () => work());
  } finally {
    await scope.end();
  }
}

/**
 * The session of the request being served; taken from the pool by the first call. With several databases, name the
 * one that is meant; without, it is that of the innermost `sessionPerRequest` or `runWithSession`.
 * Rejects as `getDb` does, with ERR_NO_REQUEST_SESSION outside of a request, or with ERR_SESSION_CLOSED after its end.
 * It is closed with the request; closing it earlier is allowed, and the next call then takes another.
 */
export function currentSession(db?: Database): Promise<Session> {
  let scope = scopes.getStore();
  while (scope !== undefined && db !== undefined && scope.db !== db) scope = scope.outer;
  return scope === undefined ? Promise.reject(noRequest(db)) : scope.session();
}

/** The part of a response that is used, as node:http's is. */
export interface ResponseLike {
  once(event: 'finish' | 'close', listener: () => void): unknown;
  readonly closed?: boolean;
  readonly destroyed?: boolean;
}

const scopes = new AsyncLocalStorage<RequestScope>();

class RequestScope {
  readonly db: Database;
  readonly outer: RequestScope | undefined;
  readonly #options: AcquireOptions;
  readonly #ended = new AbortController();
  #session: Promise<Session> | null = null;
  #open: Session | null = null;

  constructor(db: Database, options: AcquireOptions, outer: RequestScope | undefined) {
    this.db = db;
    this.outer = outer;
    this.#options = options;
  }

  session(): Promise<Session> {
    if (this.#ended.signal.aborted) return Promise.reject(requestOver());
    if (this.#open?.closed === true) this.#session = null;
    this.#session ??= this.#take();
    return this.#session;
  }

  /** Not an async function, so that the pool sees who asked. */
  #take(): Promise<Session> {
    const { signal } = this.#options;
    const ended = this.#ended.signal;
    const options = {
      ...this.#options,
      signal: signal === undefined ? ended : AbortSignal.any([signal, ended]),
    };
    const taking = this.db.getDb(options).then(
      (session) => {
        this.#open = session;
        // It came just as the request ended.
        if (ended.aborted) void session.close();
        return session;
      },
      (error: unknown) => {
        // The next call may have more luck.
        this.#session = null;
        throw ended.aborted ? requestOver(error) : error;
      },
    );
    return taking;
  }

  /** Never rejects. */
  async end(): Promise<void> {
    this.#ended.abort();
    await this.#open?.close();
  }
}

function requestOver(cause?: unknown): DatabaseError {
  return new DatabaseError('ERR_SESSION_CLOSED', 'the request is over, and its session with it', {
    cause,
    hint: 'work that outlives the request takes a session of its own: db.withSession',
  });
}

function noRequest(db: Database | undefined): DatabaseError {
  const which = db === undefined ? '' : ` with a session of '${db.name}'`;
  return new DatabaseError('ERR_NO_REQUEST_SESSION', `no request${which} is being served here`, {
    hint: 'call it under sessionPerRequest or runWithSession; where the context is lost, bind with AsyncResource',
  });
}
