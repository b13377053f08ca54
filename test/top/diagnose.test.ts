import { describe, expect, it } from 'vitest';
import type { SourceState } from '../../src/snapshot/reading.js';
import { bouncer, diagnosisOf, leases, linked, many, postgres, queued } from './diagnosis.js';
import { AT_MS, backend, holder, pool, pooler, server, source } from './helpers.js';

const leaked = { ageMs: 41_000, busy: false };

const rows: readonly [what: string, sources: SourceState[], string | null, words: string][] = [
  [
    'old leases that do nothing',
    [
      source({
        pools: [
          pool({
            waiting: 23,
            holders: [
              ...leases(3, () => leaked),
              ...leases(12, (at) => ({ leaseId: 20 + at, site: '/app/a.ts:1:1' })),
            ],
          }),
        ],
      }),
    ],
    'leak-missing-release',
    'orders: exhausted; 3 of 15 leases held > 30 s by src/orders.ts:88; 23 waiting',
  ],
  [
    'old leases in a pool that still has room',
    [source({ pools: [pool({ holders: leases(2, () => leaked) })] })],
    'leak-missing-release',
    'orders: 2 of 2 leases held > 30 s by src/orders.ts:88; none waiting',
  ],
  [
    'old leases from two places',
    [
      source({
        pools: [
          pool({
            waiting: 1,
            holders: [
              ...leases(2, () => leaked),
              holder({ ...leaked, leaseId: 9, site: '/app/src/b.ts:2:2' }),
            ],
          }),
        ],
      }),
    ],
    'leak-missing-release',
    'orders: exhausted; 3 of 3 leases held > 30 s by src/orders.ts:88 and src/b.ts:2; 1 waiting',
  ],
  [
    'leases whose backends wait for a lock',
    [
      source({ pools: [pool({ waiting: 4, holders: leases(15, () => ({ ageMs: 4000, busy: true })) })] }),
      source({
        ...postgres,
        server: server(),
        backends: [
          backend({ pid: 99, application: 'psql', state: 'idle in transaction', transactionMs: 9000 }),
          ...many(15, (at) =>
            backend({
              pid: 200 + at,
              clientPort: 1000 + at,
              waitType: 'Lock',
              blockedBy: [at === 0 ? 99 : 200],
            }),
          ),
        ],
      }),
    ],
    'lock-chain-row',
    'orders: exhausted; 15 of 15 leases wait for locks held (pid 99, idle in transaction for 9.0s); 4 waiting; a bigger pool gains nothing',
  ],
  [
    'a leak whose transaction holds the lock',
    [
      source({
        pools: [
          pool({
            waiting: 4,
            holders: [
              holder({ leaseId: 50, ...leaked, localPort: 999 }),
              ...leases(14, () => ({ ageMs: 40_000, busy: true, site: '/app/src/stock.ts:3:3' })),
            ],
          }),
        ],
      }),
      source({
        ...postgres,
        server: server(),
        backends: [
          backend({ pid: 99, clientPort: 999, state: 'idle in transaction', transactionMs: 41_000 }),
          ...many(14, (at) =>
            backend({ pid: 200 + at, clientPort: 1000 + at, waitType: 'Lock', blockedBy: [99] }),
          ),
        ],
      }),
    ],
    'transaction-left-open',
    'orders: exhausted; 1 of 15 leases held > 30 s by src/orders.ts:88; 14 of 15 leases wait for locks held by src/orders.ts:88 (pid 99, idle in transaction for 41s); 4 waiting; a bigger pool gains nothing',
  ],
  [
    'leases in long queries',
    [
      source({
        pools: [
          pool({
            waiting: 7,
            holders: leases(15, (at) => ({ ageMs: 2000 + at, busy: true, lastSql: 'SELECT * FROM reports' })),
          }),
        ],
      }),
    ],
    'slow-query',
    'orders: exhausted; 15 of 15 leases in queries > 1.0s, the longest 2.0s: SELECT * FROM reports; 7 waiting',
  ],
  [
    'short leases that come and go, and a queue',
    [source({ pools: [pool({ waiting: 7, holders: leases(15, () => ({ ageMs: 30, busy: true })) })] })],
    'pool-too-small',
    'orders: exhausted; 15 leases turn over at 50/s, none slow; 7 waiting',
  ],
  [
    'leases that queue in the pooler',
    [
      source({ pools: [pool({ waiting: 2, holders: leases(15, () => ({ ageMs: 900, busy: true })) })] }),
      source({
        ...bouncer,
        pooler: pooler({ clients: queued(15, 800) }, { clientsWaiting: 1 }),
      }),
    ],
    'pooler-pool-too-small',
    'orders: exhausted; 15 of 15 leases queue in PgBouncer for 4 server connections; 2 waiting',
  ],
  [
    'a queue in the pooler, seen by itself',
    [source({ ...bouncer, pooler: pooler({}, { clientsWaiting: 16, longestWaitMs: 353 }) })],
    'pooler-pool-too-small',
    'pgbouncer shop/app: 16 of 20 clients queue for 4 server connections, the longest for 353ms',
  ],
  [
    'a queue in the pooler, and locks behind it',
    [
      source({ ...bouncer, pooler: pooler({}, { clientsWaiting: 16, longestWaitMs: 353 }) }),
      source({
        ...postgres,
        server: server(),
        backends: [
          backend({ pid: 1, state: 'idle in transaction', transactionMs: 8000, stateMs: 8000 }),
          ...many(3, (at) => backend({ pid: 10 + at, waitType: 'Lock', blockedBy: [1] })),
        ],
      }),
    ],
    'lock-chain-row',
    'pgbouncer shop/app: 16 of 20 clients queue for 4 server connections, the longest for 353ms; 3 of 3 active backends wait for locks held (pid 1, idle in transaction for 8.0s); a bigger pool gains nothing',
  ],
  [
    'leases that queue in the pooler, behind long queries',
    [
      source({
        pools: [
          pool({
            waiting: 2,
            holders: leases(15, (at) => ({ ageMs: 9000, busy: true, localPort: 1000 + at })),
          }),
        ],
      }),
      source({ ...bouncer, pooler: pooler({ clients: queued(15, 8000), servers: [linked(71)] }) }),
      source({
        ...postgres,
        server: server(),
        backends: [backend({ pid: 71, queryMs: 9000 }), ...many(9, (at) => backend({ pid: 80 + at }))],
      }),
    ],
    'slow-query',
    'orders: exhausted; 15 of 15 leases queue in PgBouncer for 4 server connections; 1 of 1 active backend in queries > 1.0s, the longest 9.0s: SELECT 1; 2 waiting',
  ],
  [
    'a queue in the pooler, and locks in another database',
    [
      source({
        ...bouncer,
        pooler: pooler({ servers: [linked(71)] }, { clientsWaiting: 16, longestWaitMs: 353 }),
      }),
      source({
        ...postgres,
        server: server(),
        backends: [
          backend({ pid: 71 }),
          backend({ pid: 1, database: 'other', state: 'idle in transaction', transactionMs: 8000 }),
          ...many(3, (at) => backend({ pid: 10 + at, database: 'other', waitType: 'Lock', blockedBy: [1] })),
        ],
      }),
    ],
    'pooler-pool-too-small',
    'pgbouncer shop/app: 16 of 20 clients queue for 4 server connections, the longest for 353ms',
  ],
  [
    'a server that refuses connections',
    [
      source({
        pools: [pool({ waiting: 3, holders: leases(4), createError: 'sorry, too many clients already' })],
      }),
    ],
    'fleet-exceeds-server',
    'orders: exhausted; the database refuses connections (sorry, too many clients already); 3 waiting',
  ],
  [
    'a server that refuses a pool with nobody waiting',
    [
      source({
        pools: [pool({ holders: leases(4), live: 4, createError: 'sorry, too many clients already' })],
      }),
      source({
        ...postgres,
        server: server({ usedConnections: 97 }),
        backends: [...many(4, () => backend()), ...many(9, () => backend({ application: 'billing' }))],
      }),
    ],
    'fleet-exceeds-server',
    'orders: cannot grow beyond 4; the database refuses connections (sorry, too many clients already); all 97 connections of the database for ordinary roles are in use, 9 of them by billing (max_connections 100, 3 reserved, 97 in use); none waiting',
  ],
  [
    'a server that refused once, and has room again',
    [
      source({ pools: [pool({ holders: leases(4), createError: 'sorry, too many clients already' })] }),
      source({ ...postgres, server: server(), backends: [backend()] }),
    ],
    null,
    'nothing waits: 4 leases out of 1 pool, 1 of 1 backend active',
  ],
  [
    'a server that refuses to be read as well',
    [
      source(postgres, {
        reading: null,
        stale: {
          sinceMs: AT_MS,
          why: 'sorry, too many clients already',
          hint: null,
          failures: 1,
          retryMs: 1000,
        },
      }),
    ],
    'fleet-exceeds-server',
    'pg: the database refuses connections (sorry, too many clients already)',
  ],
  [
    'a server that is not there',
    [source({ pools: [pool({ waiting: 2, live: 0, createError: 'connect ECONNREFUSED 127.0.0.1:5432' })] })],
    'server-down',
    'orders: exhausted; nothing listens there: the server is down, or elsewhere (connect ECONNREFUSED 127.0.0.1:5432); 2 waiting',
  ],
  [
    'a pool that is opening its connections',
    [source({ pools: [pool({ waiting: 4, live: 7, creating: 4, holders: leases(3) })] })],
    'unclear',
    'orders: growing; 4 connections being opened, 3 of 15 in use; 4 waiting',
  ],
  [
    'a server that is full',
    [source({ ...postgres, server: server({ usedConnections: 97 }) })],
    'fleet-exceeds-server',
    'all 97 connections of the database for ordinary roles are in use (max_connections 100, 3 reserved, 97 in use)',
  ],
  [
    'transactions that nobody goes on with',
    [
      source({
        ...postgres,
        server: server(),
        backends: many(2, (at) => backend({ pid: at + 1, state: 'idle in transaction', stateMs: 50_000 })),
      }),
    ],
    'transaction-left-open',
    '2 transactions of api idle for up to 50s',
  ],
  [
    'transactions of several applications that nobody goes on with',
    [
      source({
        ...postgres,
        server: server(),
        backends: many(3, (at) =>
          backend({ pid: at, application: `a${at}`, state: 'idle in transaction', stateMs: 50_000 }),
        ),
      }),
    ],
    'transaction-left-open',
    '3 transactions of 3 applications idle for up to 50s',
  ],
  [
    'a few of many backends that have waited for locks for long',
    [
      source({
        ...postgres,
        server: server(),
        backends: [
          ...many(2, (at) =>
            backend({ pid: 1 + at, state: 'idle in transaction', transactionMs: 8000, stateMs: 8000 }),
          ),
          ...many(3, (at) =>
            backend({ pid: 10 + at, waitType: 'Lock', blockedBy: [at === 0 ? 1 : 2], queryMs: 7000 }),
          ),
          ...many(20, (at) => backend({ pid: 20 + at })),
        ],
      }),
    ],
    'lock-chain-row',
    '3 of 25 backends have waited for locks for up to 7.0s, 2 of them for one held (pid 2, idle in transaction for 8.0s); a bigger pool gains nothing',
  ],
  [
    'all in use, where no metric reports who waits',
    [source({ pools: [pool({ waiting: null, holders: leases(15, () => ({ ageMs: 9000, busy: false })) })] })],
    'unclear',
    'orders: full; 15 of 15 in use, waiters not known; cause unclear: 15 idle, the oldest for 9.0s, acquired at src/orders.ts:88; add the database as a source to see more',
  ],
  [
    'a queue, and leases of which nothing is known',
    [
      source({
        pools: [
          pool({ waiting: 5, holders: leases(15, () => ({ ageMs: null, site: null })), longestHoldMs: null }),
        ],
      }),
    ],
    'unclear',
    'orders: exhausted; 15 of 15 in use, 5 waiting; cause unclear: the ages of leases are not measured',
  ],
  [
    'a queue, and leases that are neither short nor busy nor old',
    [
      source({
        pools: [pool({ waiting: 5, holders: leases(15, () => ({ ageMs: 9000, busy: false })) })],
      }),
    ],
    'connection-held-through-other-work',
    'orders: exhausted; 15 of 15 leases idle while they are held, for up to 9.0s by src/orders.ts:88; 5 waiting',
  ],
  [
    'the same, where something else cannot be read',
    [
      source({
        pools: [pool({ waiting: 5, holders: leases(15, () => ({ ageMs: 9000, busy: false })) })],
        gaps: [{ what: 'whether all of it is paused', why: 'PgBouncer 1.18.0 does not tell (from 1.19)' }],
      }),
    ],
    'connection-held-through-other-work',
    'orders: exhausted; 15 of 15 leases idle while they are held, for up to 9.0s by src/orders.ts:88; 5 waiting',
  ],
  [
    'a pool at ease',
    [source({ pools: [pool({ holders: leases(2, () => ({ busy: true })) })] })],
    null,
    'nothing waits: 2 leases out of 1 pool',
  ],
  ['nothing at all', [], null, 'no reading yet'],
  [
    'a source that cannot be read',
    [
      source(postgres, {
        reading: null,
        stale: { sinceMs: AT_MS, why: 'no answer within 5s', hint: null, failures: 1, retryMs: 1000 },
      }),
    ],
    null,
    'nothing can be read',
  ],
];

describe('the diagnosis', () => {
  it.each(rows)('of %s', (_, sources, cause, words) => {
    expect(diagnosisOf(...sources)).toMatchObject({ cause, words });
  });

  it('is bad while somebody waits, a warning while nobody does', () => {
    const of = (waiting: number) =>
      diagnosisOf(source({ pools: [pool({ waiting, holders: leases(15, () => leaked) })] })).severity;
    expect([of(1), of(0)]).toEqual(['bad', 'warn']);
  });

  it('is of the pool with the longest queue, and counts the others', () => {
    const dry = (name: string, waiting: number) => pool({ name, waiting, holders: leases(15, () => leaked) });
    const { words } = diagnosisOf(
      source({ pools: [dry('a', 2), dry('b', 9), dry('c', 1)], takenAtMs: AT_MS }),
    );
    expect(words).toMatch(/^b: exhausted;.*9 waiting; 2 more$/);
  });

  it('lets nothing through that a terminal would obey', () => {
    const evil = '\x1b[2J\u202eorders\x07';
    const { words } = diagnosisOf(
      source({
        pools: [pool({ name: evil, waiting: 1, holders: leases(15, () => ({ ...leaked, site: evil })) })],
      }),
    );
    expect(words).toMatch(/^[\x20-\x7e]*$/);
  });
});
