import type { PoolSetup } from '../../snapshot/pool.js';
import { hasMethods, hook } from '../hooking.js';
import type { Asked, LeaseBook } from '../lease-book.js';
import type { PoolKind } from './kind.js';
import { addressOf, placeOf } from './requests.js';

/** The parts of pg.Pool (pg-pool from version 3) that are read or hooked. */
export interface PgPool {
  readonly options: {
    readonly max?: number;
    /** 0, and none, wait for ever. */
    readonly connectionTimeoutMillis?: number;
    readonly idleTimeoutMillis?: number;
    readonly maxLifetimeSeconds?: number;
    readonly statement_timeout?: unknown;
    readonly query_timeout?: unknown;
  };
  readonly _clients: readonly PgClient[];
  readonly _idle: readonly { readonly client?: unknown }[];
  readonly _pendingQueue: readonly PendingItem[];
  readonly ending?: boolean;
}

interface PgClient {
  /** False until the server is ready for the first query; not there in other clients than pg's own. */
  readonly _connected?: boolean;
}

interface PendingItem {
  callback(error: unknown, client?: unknown, done?: unknown): unknown;
  readonly timedOut?: boolean;
  [ASKED]?: Asked;
}

const ASKED = Symbol('poolctl.asked');

export const pgPool: PoolKind<PgPool> = {
  driver: 'pg',
  madeBy: 'ending',
  isOne: (value): value is PgPool =>
    hasMethods(value, ['connect', 'newClient', '_acquireClient', '_release', '_pulseQueue']),
  hook: hookPgPool,
  lent({ _clients, _idle }) {
    const idle = new Set(_idle.map(({ client }) => client));
    return _clients.filter((client) => client._connected !== false && !idle.has(client));
  },
  nameOf: ({ options, _clients: [client] }) => placeOf(client ?? options, 'pg'),
  read(pool) {
    const creating = pool._clients.filter((client) => client._connected === false).length;
    const live = pool._clients.length;
    const idle = pool._idle.length;
    const waiting = pool._pendingQueue.length;
    return {
      size: pool.options.max ?? null,
      live,
      idle,
      // One that ends is out of the list; one whose connection broke while it is lent is still in it.
      inUse: Math.max(0, live - idle - creating),
      waiting,
      creating,
      waitingSince: pool._pendingQueue[0]?.[ASKED]?.since ?? null,
      closed: pool.ending === true,
      resources: pool._clients,
      waiters: pool._pendingQueue.flatMap((item) => item[ASKED] ?? []),
      address: addressOf(pool._clients[0] ?? pool.options),
      pending: waiting + creating,
      setup: setupOf(pool.options),
    };
  },
};

function setupOf(options: PgPool['options']): Partial<PoolSetup> {
  const { connectionTimeoutMillis, idleTimeoutMillis, maxLifetimeSeconds, statement_timeout, query_timeout } =
    options;
  const limits = [statement_timeout, query_timeout].map(Number).filter((limit) => limit > 0);
  return {
    acquireTimeoutMs: connectionTimeoutMillis || 'never',
    recycleMs: maxLifetimeSeconds ? maxLifetimeSeconds * 1000 : 'never',
    maxIdleMs: idleTimeoutMillis || 'never',
    prePing: false,
    // The server may have one of its own.
    statementTimeoutMs: limits.length === 0 ? null : Math.min(...limits),
  };
}

/** The acquire whose `connect` is running: what it makes, a waiter or a client, is made for it. */
let asking: Asked | null = null;
/** Whether `pool.query` is running: it gives back by itself what it acquires. */
let querying = false;

// The parameters are spelled out: each of these runs once a query, and to gather them costs as much as all the rest.
function hookPgPool(target: PgPool, bookOf: (pool: PgPool) => LeaseBook | null): void {
  hook(
    target,
    'query',
    (query) =>
      function queryWatched(this: PgPool, text, values, callback, ...more) {
        querying = true;
        try {
          return query.call(this, text, values, callback, ...more);
        } finally {
          querying = false;
        }
      },
  );
  hook(
    target,
    'connect',
    (connect) =>
      function connectWatched(this: PgPool, callback, ...more) {
        const found = bookOf(this);
        // A pool that is ending refuses.
        if (this.ending === true) found?.refused('ERR_POOL_ENDED', connectWatched);
        const book = this.ending === true ? null : found;
        if (book === null) return connect.call(this, callback, ...more);
        const asked = book.ask(connectWatched, querying);
        const waiting = this._pendingQueue.length;
        const outer = asking;
        asking = asked;
        querying = false;
        try {
          return connect.call(this, callback, ...more);
        } finally {
          asking = outer;
          const last = this._pendingQueue[this._pendingQueue.length - 1];
          if (last !== undefined && this._pendingQueue.length > waiting) last[ASKED] = asked;
        }
      },
  );
  hook(
    target,
    'newClient',
    (newClient) =>
      function newClientWatched(this: PgPool, ...args) {
        const [item] = args as [PendingItem];
        const book = bookOf(this);
        if (asking !== null) item[ASKED] = asking;
        asking = null;
        if (book !== null) tellFailure(item, book);
        return newClient.apply(this, args);
      },
  );
  hook(
    target,
    '_acquireClient',
    (acquireClient) =>
      function acquireClientWatched(this: PgPool, client, item, idleListener, isNew, ...more) {
        const { timedOut, [ASKED]: asked } = item as PendingItem;
        // Before the call: it hands the client over, and may get it back, before it returns.
        const book = timedOut === true ? null : bookOf(this);
        if (asked === undefined) book?.lendOlder(client as object);
        else book?.lend(client as object, asked);
        return acquireClient.call(this, client, item, idleListener, isNew, ...more);
      },
  );
  hook(
    target,
    '_release',
    (release) =>
      function releaseWatched(this: PgPool, client, idleListener, error, ...more) {
        bookOf(this)?.release(client as object);
        return release.call(this, client, idleListener, error, ...more);
      },
  );
}

function tellFailure(item: PendingItem, book: LeaseBook): void {
  const { callback } = item;
  const since = book.clock.now();
  const ended = book.observed.connecting();
  item.callback = (error, client, done) => {
    ended();
    if (error) book.createFailed(error);
    else book.created(book.clock.now() - since);
    return callback(error, client, done);
  };
}
