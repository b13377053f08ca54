import { hook, isObject } from '../hooking.js';
import type { Asked, LeaseBook } from '../lease-book.js';
import type { PoolKind } from './kind.js';
import { lentBy } from './lent.js';

/** The parts of a Pool of undici (from version 5) that are read or hooked. Its own fields have symbols. */
export interface UndiciPool {
  dispatch(options: unknown, handler: unknown): unknown;
  /** Read anew each time. */
  readonly stats: {
    readonly connected: number;
    readonly free: number;
    readonly queued: number;
    readonly running: number;
  };
  readonly closed?: boolean;
  readonly destroyed?: boolean;
}

/** A request that is on a connection: what is lent here is not the connection, which the caller never sees. */
class InFlight {}

export const undiciPool: PoolKind<UndiciPool> = {
  driver: 'undici',
  // The class that has its own way to a dispatcher: one of several origins (BalancedPool) consists of pools.
  isOne: (value): value is UndiciPool =>
    symbolIn(value, 'get dispatcher') !== null &&
    symbolIn(value, 'add client') !== null &&
    !('addUpstream' in value),
  hook(target, bookOf) {
    hook(
      target,
      'dispatch',
      (dispatch) =>
        function dispatchWatched(this: UndiciPool, options, handler, ...more) {
          const book = bookOf(this);
          if (book === null || !isObject(handler)) return dispatch.call(this, options, handler, ...more);
          const asked = book.ask(dispatchWatched, true);
          return dispatch.call(
            this,
            options,
            followed(handler, new Exchange(this, book, asked, options)),
            ...more,
          );
        },
    );
  },
  nameOf(pool) {
    const url = originOf(pool);
    return url === null ? 'undici' : url.origin;
  },
  read(pool) {
    const { connected, free, queued } = pool.stats;
    const clients = fieldOf(pool, 'clients');
    const opened = Array.isArray(clients) ? clients.length : connected;
    const size = fieldOf(pool, 'connections');
    const url = originOf(pool);
    const port = Number(url?.port || (url?.protocol === 'https:' ? 443 : 80));
    return {
      size: typeof size === 'number' ? size : null,
      live: Math.max(opened, connected),
      idle: free,
      inUse: connected - free,
      waiting: queued,
      creating: Math.max(0, opened - connected),
      waitingSince: null,
      closed: pool.closed === true || pool.destroyed === true,
      resources: lentBy(pool),
      pending: null,
      address: { host: url?.hostname ?? null, port: url === null ? null : port, database: null, user: null },
      setup: { acquireTimeoutMs: 'never', recycleMs: 'never', prePing: false },
    };
  },
};

/** One request, from its dispatch to the end of its response. */
class Exchange {
  readonly #pool: UndiciPool;
  readonly #book: LeaseBook;
  readonly #asked: Asked;
  readonly #words: string | null;
  #request: object | null = null;

  constructor(pool: UndiciPool, book: LeaseBook, asked: Asked, options: unknown) {
    this.#pool = pool;
    this.#book = book;
    this.#asked = asked;
    this.#words = wordsOf(options);
  }

  /** It is on a connection. It may be again, after that connection broke. */
  began(): void {
    if (this.#request !== null) return;
    this.#request = new InFlight();
    lentBy(this.#pool).add(this.#request);
    this.#book.lend(this.#request, this.#asked, this.#words);
  }

  ended(): void {
    if (this.#request === null) return;
    lentBy(this.#pool).delete(this.#request);
    this.#book.release(this.#request);
    this.#request = null;
  }

  failed(error: unknown): void {
    if (this.#request === null) this.#book.createFailed(error);
    else this.ended();
  }
}

/** Methods of a handler until version 6, and since version 7, which takes both. */
const BEGINS = new Set(['onConnect', 'onRequestStart']);
const ENDS = new Set(['onComplete', 'onResponseEnd', 'onUpgrade', 'onRequestUpgrade']);
const FAILS = new Set(['onError', 'onResponseError']);
const OTHERS = [
  ...['onHeaders', 'onData', 'onBodySent', 'onRequestSent', 'onResponseStarted'],
  ...['onResponseStart', 'onResponseData'],
];

/** A handler that hears what the given one does. An object of its own: that one may have private fields. */
function followed(handler: object, exchange: Exchange): object {
  const given = handler as Readonly<Record<string, unknown>>;
  const heard: Record<string, unknown> = {};
  for (const name of [...BEGINS, ...ENDS, ...FAILS, ...OTHERS]) {
    const method = given[name];
    if (typeof method !== 'function') continue;
    heard[name] = (...args: unknown[]): unknown => {
      if (BEGINS.has(name)) exchange.began();
      else if (ENDS.has(name)) exchange.ended();
      else if (FAILS.has(name)) exchange.failed(args.find((one) => one instanceof Error));
      return method.apply(handler, args);
    };
  }
  return heard;
}

/** The method and the path. A query of it may hold secrets. */
function wordsOf(options: unknown): string | null {
  if (!isObject(options) || typeof options.path !== 'string') return null;
  return `${String(options.method ?? 'GET')} ${options.path.replace(/[?#].*$/s, '')}`;
}

function originOf(pool: object): URL | null {
  const url = fieldOf(pool, 'url');
  return url instanceof URL ? url : null;
}

function fieldOf(pool: object, description: string): unknown {
  const symbol = symbolIn(pool, description);
  return symbol === null ? undefined : (pool as Readonly<Record<symbol, unknown>>)[symbol];
}

/** A property with a symbol of that description, its own or inherited. */
function symbolIn(object: object, description: string): symbol | null {
  for (let at: object | null = object; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const found = Object.getOwnPropertySymbols(at).find((one) => one.description === description);
    if (found !== undefined) return found;
  }
  return null;
}
