import { captureSite } from '../../base/call-site.js';
import { onBehalfOf, sampledSite } from '../call-site.js';
import { hasMethods, hook, isObject } from '../hooking.js';
import type { Asked, LeaseBook } from '../lease-book.js';
import { noteOn } from '../note.js';
import { codeOf } from '../observations.js';
import type { PoolKind } from '../pools/kind.js';
import { type ConnectionState, STATE } from './connection-state.js';

/** The parts of a pool of postgres.js. */
export interface Insides {
  readonly queries: Queue<Query>;
  readonly queues: Readonly<Record<QueueName, Queue<Connection>>>;
  readonly connections: Set<Connection>;
  options: Options | null;
  ended: boolean;
}

const QUEUES = ['connecting', 'reserved', 'closed', 'ended', 'open', 'busy', 'full'] as const;
type QueueName = (typeof QUEUES)[number];

interface Queue<T> {
  readonly length: number;
  push(item: T): T;
  shift(): T | undefined;
  remove(item: T): T | null;
}

export interface Connection {
  queue: Queue<Connection>;
  connect(query: Query): unknown;
  execute(query: Query): unknown;
  [STATE]?: ConnectionState;
}

interface Query {
  state?: unknown;
  readonly strings?: readonly string[];
  readonly tagged?: boolean;
  readonly origin?: string;
  readonly options?: { readonly prepare?: boolean; readonly simple?: boolean };
  reserve?(connection: Connection): unknown;
  resolve?(result: unknown): unknown;
  reject(error: unknown): unknown;
  [ASKED]?: Asked;
  [SITE]?: Error;
}

interface Options {
  readonly max: number;
  readonly host?: readonly string[];
  readonly port?: readonly number[];
  readonly database?: string;
  readonly user?: string;
  readonly prepare?: boolean;
  readonly max_lifetime?: number | null;
  readonly idle_timeout?: number | null;
}

const ASKED = Symbol('poolctl.asked');
const SITE = Symbol('poolctl.site');
const STACK_FRAMES = 30;

export const postgresJs: PoolKind<Insides> = {
  driver: 'postgres',
  isOne: (value): value is Insides =>
    isObject(value) && 'queries' in value && 'queues' in value && 'connections' in value,
  hook(insides, bookOf) {
    const book = bookOf(insides);
    if (book !== null) watchInsides(insides, book);
  },
  nameOf({ options }) {
    const { host: [host] = [], port: [port] = [], database } = options ?? {};
    return host === undefined ? 'postgres' : `${host}:${port}/${database ?? ''}`;
  },
  read({ options, queries, queues, connections, ended }) {
    const all = [...connections];
    const isLent = (one: Connection): boolean => (noteOn(one)?.leaseId ?? 0) !== 0;
    // The first query of a connection runs while it is still among those that connect.
    const early = all.filter((one) => one.queue === queues.connecting && isLent(one)).length;
    const creating = queues.connecting.length - early;
    const inUse = queues.busy.length + queues.full.length + queues.reserved.length + early;
    const waiters = waitersOf.get(queries);
    const [first] = waiters ?? [];
    return {
      size: options?.max ?? null,
      live: inUse + creating + queues.open.length,
      idle: queues.open.length,
      inUse,
      waiting: queries.length,
      creating,
      waitingSince: first?.[ASKED]?.since ?? null,
      closed: ended,
      resources: all,
      waiters: [...(waiters ?? [])].flatMap((query) => query[ASKED] ?? []),
      pending: null,
      address: {
        host: options?.host?.[0] ?? null,
        port: options?.port?.[0] ?? null,
        database: options?.database ?? null,
        user: options?.user ?? null,
      },
      setup: {
        acquireTimeoutMs: 'never',
        recycleMs: options?.max_lifetime ? options.max_lifetime * 1000 : 'never',
        maxIdleMs: options?.idle_timeout ? options.idle_timeout * 1000 : 'never',
        prePing: false,
      },
    };
  },
};

/** Queries in line: a queue of postgres.js does not say what is in it. */
const waitersOf = new WeakMap<object, Set<Query>>();

function watchInsides({ queries, queues, connections, options }: Insides, book: LeaseBook): void {
  watchQueries(queries, book);
  for (const name of QUEUES) {
    const queue = queues[name];
    hook(
      queue,
      'push',
      (push) =>
        function pushWatched(this: Queue<Connection>, ...args) {
          const [connection] = args as [Connection];
          moved(connection, name, book);
          return push.apply(this, args);
        },
    );
  }
  book.seesStatements();
  for (const connection of connections) watchConnection(connection, book, options);
}

function watchQueries(queries: Queue<Query>, book: LeaseBook): void {
  const waiting = new Set<Query>();
  waitersOf.set(queries, waiting);
  hook(
    queries,
    'push',
    (push) =>
      function pushWatched(this: Queue<Query>, ...args) {
        const [query] = args as [Query];
        waiting.add(query);
        askedBy(query, book);
        return push.apply(this, args);
      },
  );
  for (const name of ['shift', 'remove']) {
    hook(
      queries,
      name,
      (take) =>
        function takeWatched(this: Queue<Query>, ...args) {
          const taken = take.apply(this, args);
          waiting.delete(taken as Query);
          return taken;
        },
    );
  }
}

function watchConnection(connection: Connection, book: LeaseBook, options: Options | null): void {
  connection[STATE] = { running: 0, backend: null, connectingSince: null };
  hook(
    connection,
    'connect',
    (connect) =>
      function connectWatched(this: Connection, ...args) {
        const [query] = args as [Query];
        const asked = askedBy(query, book);
        // Its execution goes past `execute`, and begins with this assignment.
        if (query.reserve === undefined) {
          onAssignment(query, 'state', () => sent(connection, query, asked, book, options, connectWatched));
        }
        return connect.apply(this, args);
      },
  );
  hook(
    connection,
    'execute',
    (execute) =>
      function executeWatched(this: Connection, ...args) {
        const [query] = args as [Query];
        sent(connection, query, askedBy(query, book), book, options, executeWatched);
        return execute.apply(this, args);
      },
  );
}

/** A connection goes from one queue to another: among the open ones nobody holds it. */
function moved(connection: Connection, to: QueueName, book: LeaseBook): void {
  const state = connection[STATE];
  if (state === undefined) return;
  const now = book.clock.now();
  if (to === 'connecting') state.connectingSince = now;
  else if (to === 'closed' || to === 'ended') {
    if (state.running > 0) state.running = 0;
    state.connectingSince = null;
  } else if (state.connectingSince !== null) {
    book.created(now - state.connectingSince);
    state.connectingSince = null;
  }
  if (to === 'reserved') {
    if ((noteOn(connection)?.leaseId ?? 0) === 0) book.lend(connection, reserving);
  } else if (to !== 'busy' && to !== 'full') book.release(connection);
}

/** The reservation that runs, until it has a connection. */
let reserving: Asked | null = null;

function sent(
  connection: Connection,
  query: Query,
  asked: Asked,
  book: LeaseBook,
  options: Options | null,
  send: (...args: never[]) => unknown,
): void {
  const state = connection[STATE];
  if (state === undefined) return;
  if ((noteOn(connection)?.leaseId ?? 0) === 0) book.lend(connection, asked);
  const note = noteOn(connection);
  if (note === null) return;
  state.running++;
  const isNamed =
    options?.prepare !== false && query.options?.prepare !== false && query.options?.simple !== true;
  const text = query.strings?.map((part, i) => (i === 0 ? part : `$${i}${part}`)).join('') ?? '';
  book.sent(note, { text, name: isNamed ? text : '' }, send);
  const done = (): void => {
    state.backend = isObject(query.state) ? query.state : state.backend;
    state.running = Math.max(0, state.running - 1);
    note.readyAt = book.clock.now();
  };
  const { resolve, reject } = query;
  if (resolve !== undefined) {
    query.resolve = (result) => {
      done();
      return resolve(result);
    };
  }
  query.reject = (error) => {
    const code = codeOf(error);
    if (code !== null) {
      book.observed.failed(code, String((error as Error).message), asked.site ?? note.site);
    }
    // It was never sent: there was no connection for it.
    if (state.connectingSince !== null && !isObject(query.state)) book.createFailed(error);
    done();
    return reject(error);
  };
}

function askedBy(query: Query, book: LeaseBook): Asked {
  let asked = query[ASKED];
  if (asked === undefined) {
    const { reserve } = query;
    const since = book.askedAt(siteOf(query), reserve === undefined);
    asked = since;
    Object.defineProperty(query, ASKED, { value: since, configurable: true });
    if (reserve !== undefined) {
      query.reserve = (connection) => {
        book.lend(connection, since);
        return reserve(connection);
      };
    }
  }
  return asked;
}

/** A tagged query keeps the stack of its template by itself. */
function siteOf(query: Query): Error | null {
  const site = query[SITE];
  if (site !== undefined) return site;
  if (query.tagged !== true) return null;
  return Object.defineProperty({}, 'stack', { get: () => query.origin }) as Error;
}

function onAssignment(object: object, property: string, told: () => void): void {
  Object.defineProperty(object, property, {
    configurable: true,
    enumerable: true,
    get: () => null,
    set(value: unknown) {
      Object.defineProperty(object, property, {
        value,
        configurable: true,
        enumerable: true,
        writable: true,
      });
      told();
    },
  });
}

/** The methods of `sql` whose caller is recorded. */
export function watchSql(sql: object, bookOf: () => LeaseBook | null): void {
  if (hasMethods(sql, ['unsafe'])) {
    hook(
      sql,
      'unsafe',
      (unsafe) =>
        function unsafeWatched(this: object, ...args) {
          const query = unsafe.apply(this, args);
          const site = beginning ?? sampledSite(unsafeWatched);
          if (site !== null && isObject(query)) Object.defineProperty(query, SITE, { value: site });
          return query;
        },
    );
  }
  hook(
    sql,
    'begin',
    (begin) =>
      function beginWatched(this: object, ...args) {
        beginning = captureSite(beginWatched, STACK_FRAMES);
        try {
          return begin.apply(this, args);
        } finally {
          beginning = null;
        }
      },
  );
  hook(
    sql,
    'reserve',
    (reserve) =>
      function reserveWatched(this: object, ...args) {
        const site = captureSite(reserveWatched, STACK_FRAMES);
        reserving = bookOf()?.askedAt(site) ?? null;
        try {
          return onBehalfOf(site, () => reserve.apply(this, args));
        } finally {
          reserving = null;
        }
      },
  );
}

/** The call of `begin` that runs: its first query is made on its behalf. */
let beginning: Error | null = null;
