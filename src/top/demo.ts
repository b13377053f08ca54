import type { Clock } from '../base/clock.js';
import { Histogram } from '../base/histogram.js';
import { type Random, seededRandom } from '../base/random.js';
import { newCounters } from '../pool/counters.js';
import type { PoolCounters, WatchedHolder } from '../snapshot/pool.js';
import type { PoolReading, Reading } from '../snapshot/reading.js';
import type { Backend } from '../snapshot/server.js';
import type { StatsSource } from '../sources/types.js';

export interface DemoOptions {
  readonly clock: Clock;
  readonly seed?: number;
}

/** The simulated application has run for so long when it is first looked at: its leaks are old enough to be seen. */
const HEAD_START_MS = 75_000;
const STEP_MS = 20;
const FIRST_PORT = 41_000;
const FIRST_PID = 24_100;
const ORDERS = '/srv/orders-api/src/orders.ts:88:31';
const SITES = [
  {
    site: '/srv/orders-api/src/checkout.ts:41:24',
    sql: 'INSERT INTO orders (customer_id, total) VALUES ($1, $2)',
  },
  {
    site: '/srv/orders-api/src/stock.ts:19:20',
    sql: 'UPDATE stock SET quantity = quantity - $1 WHERE sku = $2',
  },
  {
    site: '/srv/orders-api/src/catalogue.ts:63:26',
    sql: 'SELECT * FROM products WHERE category = $1 ORDER BY name',
  },
] as const;
const LEAKED_SQL = 'SELECT * FROM orders WHERE id = $1 FOR UPDATE';

/**
 * Sources of a made-up application whose pool runs dry by a leak: as an application with two pools, the PgBouncer
 * behind it, and the PostgreSQL behind that. The same for the same seed, and at the pace of the clock.
 */
export function demoSources({ clock, seed = 88 }: DemoOptions): StatsSource[] {
  const simulation = new Simulation(seededRandom(seed));
  const startedAt = clock.now();
  const startedAtMs = clock.wallTime() - HEAD_START_MS;
  const make = (
    label: string,
    kind: Reading['kind'],
    part: (nowMs: number, wallMs: number) => Partial<Reading>,
  ): StatsSource => ({
    label,
    kind,
    async read() {
      const nowMs = HEAD_START_MS + clock.now() - startedAt;
      simulation.runUntil(nowMs);
      const takenAtMs = Math.round(startedAtMs + nowMs);
      return {
        source: label,
        kind,
        takenAtMs,
        pools: [],
        backends: [],
        server: null,
        pooler: null,
        gaps: [],
        ...part(nowMs, takenAtMs),
      };
    },
    async [Symbol.asyncDispose]() {},
  });
  return [
    make('demo:orders-api', 'pool', (nowMs, wallMs) => ({
      pools: simulation.pools(nowMs, wallMs, startedAtMs),
    })),
    make('demo:pgbouncer', 'pgbouncer', (nowMs) => ({ pooler: simulation.pooler(nowMs) })),
    make('demo:postgres', 'postgres', (nowMs) => simulation.database(nowMs)),
  ];
}

interface Lease {
  readonly id: number;
  readonly slot: number;
  readonly acquiredMs: number;
  /** When it will be released; null for a leak. */
  readonly endsMs: number | null;
  readonly site: string;
  readonly sql: string;
}

/** A pool of 10 + 5 before which requests queue, stepped in small steps. */
class Simulation {
  readonly #random: Random;
  #nowMs = 0;
  #nextId = 1;
  #nextLeakMs = 12_000;
  #leaks = 0;
  #leases: Lease[] = [];
  #waiters: number[] = [];
  #due = 0;
  readonly #wait = new Histogram();
  readonly #hold = new Histogram();
  #acquired = 0;
  #waited = 0;
  #timedOut = 0;
  #peakWaiting = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  runUntil(nowMs: number): void {
    while (this.#nowMs + STEP_MS <= nowMs) this.#step();
  }

  #step(): void {
    this.#nowMs += STEP_MS;
    const now = this.#nowMs;
    this.#leases = this.#leases.filter(({ endsMs, acquiredMs }) => {
      if (endsMs === null || endsMs > now) return true;
      this.#hold.recordMs(endsMs - acquiredMs);
      return false;
    });
    // Requests come in waves of a minute, so that the queue grows and shrinks.
    const perSecond = 80 + 9 * Math.sin(now / 4500);
    this.#due += (perSecond * STEP_MS) / 1000;
    while (this.#due >= this.#random()) {
      this.#due -= 1;
      this.#waiters.push(now);
    }
    const isFresh = (since: number) => now - since <= 5000;
    const timedOut = this.#waiters.findIndex(isFresh);
    const gone = timedOut < 0 ? this.#waiters.length : timedOut;
    this.#timedOut += gone;
    this.#waiters = this.#waiters.slice(gone, gone + 60);
    while (this.#leases.length < 15 && this.#waiters.length > 0) this.#acquire(this.#waiters.shift() ?? now);
    this.#peakWaiting = Math.max(this.#peakWaiting, this.#waiters.length);
  }

  #acquire(since: number): void {
    const now = this.#nowMs;
    const leak = now >= this.#nextLeakMs && this.#leaks < 3;
    if (leak) {
      this.#leaks++;
      this.#nextLeakMs = now + 9000;
    }
    // Thousands of steps come before the first frame, so this makes no objects.
    const taken = this.#leases.reduce((bits, lease) => bits | (1 << lease.slot), 0);
    let slot = 0;
    while (taken & (1 << slot)) slot++;
    const place = SITES[Math.floor(this.#random() * SITES.length)] ?? SITES[0];
    const holdMs = -Math.log(1 - this.#random()) * 130 + 15;
    this.#leases.push({
      id: this.#nextId++,
      slot,
      acquiredMs: now,
      endsMs: leak ? null : now + holdMs,
      site: leak ? ORDERS : place.site,
      sql: leak ? LEAKED_SQL : place.sql,
    });
    this.#acquired++;
    if (now > since) this.#waited++;
    this.#wait.recordMs(now - since);
  }

  pools(nowMs: number, wallMs: number, startedAtMs: number): PoolReading[] {
    const app = { name: 'orders-api', pid: 4182, host: 'demo', node: 'v20.19.0', startedAtMs };
    const holders = [...this.#leases].sort((one, other) => one.acquiredMs - other.acquiredMs);
    const own = {
      schema: 1,
      driver: 'pg',
      takenAtMs: wallMs,
      createError: null,
      closed: false,
      creating: 0,
      app,
    } as const;
    return [
      {
        ...own,
        name: 'orders',
        size: 10,
        maxOverflow: 5,
        live: 15,
        overflow: 5,
        idle: 15 - holders.length,
        inUse: holders.length,
        waiting: this.#waiters.length,
        peakWaiting: this.#peakWaiting,
        peakInUse: 15,
        longestWaitMs: this.#waiters[0] === undefined ? null : nowMs - this.#waiters[0],
        longestHoldMs: holders[0] === undefined ? null : nowMs - holders[0].acquiredMs,
        counters: counters({
          acquired: this.#acquired,
          released: this.#acquired - holders.length,
          waited: this.#waited,
          timedOut: this.#timedOut,
          created: 15,
          overflowCreated: 5,
          leaked: this.#leaks,
        }),
        wait: this.#wait.snapshot(),
        hold: this.#hold.snapshot(),
        holders: holders.map((lease) => this.#holder(lease, nowMs)),
      },
      {
        ...own,
        name: 'sessions',
        size: 5,
        maxOverflow: 0,
        live: 2,
        overflow: 0,
        idle: 2,
        inUse: 0,
        waiting: 0,
        peakWaiting: 0,
        peakInUse: 2,
        longestWaitMs: null,
        longestHoldMs: null,
        counters: counters({
          acquired: Math.floor(nowMs / 400),
          released: Math.floor(nowMs / 400),
          created: 2,
        }),
        wait: null,
        hold: null,
        holders: [],
      },
    ];
  }

  #holder({ id, slot, acquiredMs, endsMs, site, sql }: Lease, nowMs: number): WatchedHolder {
    const ageMs = nowMs - acquiredMs;
    return {
      leaseId: id,
      ageMs,
      site,
      stack: `at ${site.includes('orders.ts') ? 'reserveOrder' : 'handle'} (${site})\nat /srv/orders-api/src/server.ts:27:5`,
      leaked: endsMs === null && ageMs > 30_000,
      lastSql: sql,
      busy: endsMs !== null,
      localPort: FIRST_PORT + slot,
      backendPid: null,
    };
  }

  pooler(nowMs: number): NonNullable<Reading['pooler']> {
    const clients = Array.from({ length: 15 }, (_, slot) => ({
      id: `c${slot}`,
      user: 'app',
      database: 'shop',
      application: 'orders-api',
      state: 'active',
      address: '127.0.0.1',
      port: FIRST_PORT + slot,
      waitMs: null,
      link: this.#leases.some((lease) => lease.slot === slot) ? `s${slot}` : null,
    }));
    const busy = this.#leases.length;
    return {
      version: '1.24.1',
      pools: [
        {
          database: 'shop',
          user: 'app',
          mode: 'transaction',
          clientsActive: 15,
          clientsWaiting: 0,
          serversActive: busy,
          serversIdle: 20 - busy,
          serversOther: 0,
          longestWaitMs: 0,
          size: 20,
        },
      ],
      databases: [
        {
          name: 'shop',
          size: 20,
          reserve: 0,
          paused: false,
          transactionsPerSecond: nowMs === 0 ? null : (this.#acquired * 1000) / nowMs,
          queriesPerSecond: nowMs === 0 ? null : (this.#acquired * 2000) / nowMs,
          waitMs: 0,
          busy,
        },
      ],
      clients,
      servers: Array.from({ length: 15 }, (_, slot) => ({
        id: `s${slot}`,
        user: 'app',
        database: 'shop',
        state: this.#leases.some((lease) => lease.slot === slot) ? 'active' : 'idle',
        backendPid: FIRST_PID + slot,
        localPort: 52_000 + slot,
        link: `c${slot}`,
      })),
      maxClients: 100,
      usedClients: 15,
      config: { pool_mode: 'transaction', default_pool_size: '20' },
    };
  }

  database(nowMs: number): Pick<Reading, 'backends' | 'server'> {
    const leaked = this.#leases.filter(({ endsMs }) => endsMs === null).sort((a, b) => a.id - b.id);
    const blocker = leaked[0];
    const bySlot = new Map(this.#leases.map((lease) => [lease.slot, lease]));
    const application: Backend[] = Array.from({ length: 15 }, (_, slot) => {
      const lease = bySlot.get(slot);
      const ageMs = lease === undefined ? null : nowMs - lease.acquiredMs;
      const leak = lease?.endsMs === null;
      return backend({
        pid: FIRST_PID + slot,
        clientPort: 52_000 + slot,
        state: lease === undefined ? 'idle' : leak ? 'idle in transaction' : 'active',
        stateMs: ageMs,
        transactionMs: ageMs,
        queryMs: ageMs,
        connectedMs: nowMs,
        waitType: lease === undefined || leak ? 'Client' : slot % 3 === 0 ? 'IO' : null,
        waitEvent: lease === undefined || leak ? 'ClientRead' : slot % 3 === 0 ? 'DataFileRead' : null,
        query: lease?.sql ?? 'COMMIT',
      });
    });
    const nightly = Array.from({ length: blocker === undefined ? 0 : 2 }, (_, at) =>
      backend({
        pid: FIRST_PID + 100 + at,
        application: 'nightly-billing',
        user: 'billing',
        clientPort: 53_000 + at,
        state: 'active',
        stateMs: 21_000 + (nowMs - HEAD_START_MS),
        transactionMs: 22_000 + (nowMs - HEAD_START_MS),
        queryMs: 21_000 + (nowMs - HEAD_START_MS),
        connectedMs: 40_000 + nowMs,
        waitType: 'Lock',
        waitEvent: at === 0 ? 'transactionid' : 'tuple',
        query: 'UPDATE orders SET billed = true WHERE id = $1',
        blockedBy: at === 0 ? [FIRST_PID + (blocker?.slot ?? 0)] : [FIRST_PID + 100],
      }),
    );
    const backends = [...application, ...nightly];
    return {
      backends,
      server: {
        version: '16.4',
        maxConnections: 100,
        reservedConnections: 3,
        usedConnections: backends.length,
        databases: [],
      },
    };
  }
}

function backend(own: Partial<Backend>): Backend {
  return {
    pid: 0,
    database: 'shop',
    user: 'app',
    application: 'orders-api',
    clientAddress: '127.0.0.1',
    clientPort: null,
    state: null,
    stateMs: null,
    transactionMs: null,
    queryMs: null,
    connectedMs: null,
    waitType: null,
    waitEvent: null,
    query: null,
    blockedBy: [],
    ...own,
  };
}

function counters(own: Partial<PoolCounters>): PoolCounters {
  return { ...newCounters(), ...own };
}
