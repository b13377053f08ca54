import { describe, expect, it } from 'vitest';
import type { WatchedHolder } from '../../src/snapshot/pool.js';
import { mapCounters } from '../../src/snapshot/pool.js';
import type { PoolerClient, PoolerServer } from '../../src/snapshot/pooler.js';
import type { Reading } from '../../src/snapshot/reading.js';
import type { Backend } from '../../src/snapshot/server.js';
import { type Hop, joinReadings } from '../../src/sources/join.js';

describe('the join', () => {
  const last = (holder: Partial<WatchedHolder>, ...others: Reading[]): Hop | undefined =>
    joinReadings([application({ holder }), ...others])[0]?.hops.at(-1);

  it.each<[string, Partial<WatchedHolder>, Reading[], object]>([
    [
      'a direct connection by pid and port',
      { backendPid: 7, localPort: 4001 },
      [server({ pid: 7, clientPort: 4001 })],
      { kind: 'backend', by: 'pid' },
    ],
    [
      'by pid alone, where the role may not see ports',
      { backendPid: 7, localPort: 4001 },
      [server({ pid: 7 })],
      { kind: 'backend', by: 'pid' },
    ],
    [
      'by port alone, of a driver that tells no pid',
      { localPort: 4001 },
      [server({ pid: 7, clientPort: 4001 })],
      { kind: 'backend', by: 'port' },
    ],
    [
      'by pid, where a network changes ports on the way',
      { backendPid: 7, localPort: 4001 },
      [server({ pid: 7, clientPort: 61_000, clientAddress: '172.17.0.1' })],
      { kind: 'backend', by: 'pid' },
    ],
    [
      'not by a pid alone, where the port is of another client of the same machine',
      { backendPid: 7, localPort: 4001 },
      [server({ pid: 7, clientPort: 61_000, clientAddress: '127.0.0.1' })],
      { kind: 'broken', to: 'client' },
    ],
    [
      'not by a pid that PgBouncer made up, and which is that of another',
      { backendPid: 7, localPort: 4001 },
      [server({ pid: 7, clientPort: 61_000, clientAddress: '172.17.0.1' }), pooler([{ port: 4001 }])],
      { kind: 'broken', to: 'server' },
    ],
    [
      'not by a port that a client of PgBouncer has too',
      { localPort: 4001 },
      [
        server({ pid: 7, clientPort: 4001 }),
        pooler([{ port: 4001, link: 's1' }], [{ id: 's1', backendPid: 8, localPort: 5001 }]),
      ],
      { kind: 'broken', why: expect.stringContaining('no backend that is watched has the pid 8') },
    ],
    [
      'of two servers with that pid, to the one that has PgBouncer at its port',
      { localPort: 4001 },
      [
        server({ pid: 8, clientPort: 9 }, 'one'),
        server({ pid: 8, clientPort: 5001 }, 'two'),
        pooler([{ port: 4001, link: 's1' }], [{ id: 's1', backendPid: 8, localPort: 5001 }]),
      ],
      { kind: 'backend', source: 'two' },
    ],
    [
      'one server that is watched twice is one',
      { backendPid: 7, localPort: 4001 },
      [server({ pid: 7, clientPort: 4001 }, 'one'), server({ pid: 7, clientPort: 4001 }, 'two')],
      { kind: 'backend', source: 'one' },
    ],
    [
      'two clients with one port cannot be told apart',
      { localPort: 4001 },
      [
        pooler([
          { port: 4001, address: '10.0.0.1' },
          { port: 4001, address: '10.0.0.2' },
        ]),
      ],
      { kind: 'broken', to: 'client', why: expect.stringContaining('10.0.0.1 and 10.0.0.2') },
    ],
    [
      'but for their names',
      { localPort: 4001 },
      [
        pooler([
          { port: 4001, application: 'shop' },
          { port: 4001, application: 'cron' },
        ]),
      ],
      { kind: 'broken', to: 'server', why: expect.stringContaining('it is in no transaction') },
    ],
    [
      'a server connection that has ended meanwhile',
      { localPort: 4001 },
      [pooler([{ port: 4001, link: 's9' }])],
      { kind: 'broken', to: 'server', why: expect.stringContaining('ended between two questions') },
    ],
    [
      'a server connection over a Unix socket, which has no port',
      { localPort: 4001 },
      [
        server({ pid: 8 }),
        pooler([{ port: 4001, link: 's1' }], [{ id: 's1', backendPid: 8, localPort: null }]),
      ],
      { kind: 'backend', by: 'pid' },
    ],
    [
      'neither port nor pid',
      {},
      [server({ pid: 7 })],
      { kind: 'broken', to: 'client', why: expect.stringContaining('neither port nor pid') },
    ],
    [
      'the one connection of a process to the Unix socket of PgBouncer',
      { backendPid: -5 },
      [
        server({ pid: 8 }),
        pooler([{ processId: 1, link: 's1' }, { processId: 2 }], [{ id: 's1', backendPid: 8 }]),
      ],
      { kind: 'backend', by: 'pid' },
    ],
    [
      'several connections of a process, which cannot be told apart',
      { backendPid: -5 },
      [server({ pid: 7 }), pooler([{ processId: 1 }, { processId: 1 }])],
      { kind: 'broken', to: 'client', why: expect.stringContaining('let it connect to 127.0.0.1') },
    ],
    [
      'a process that PgBouncer has no client of',
      { backendPid: -5 },
      [server({ pid: 7 }), pooler([])],
      { kind: 'broken', to: 'client', why: expect.stringContaining('no client of its process') },
    ],
  ])('follows %s', (_, holder, others, expected) => {
    expect(last(holder, ...others)).toMatchObject(expected);
  });

  it('does not look for the leases of another database', () => {
    const mysql = application({ holder: { backendPid: 7, localPort: 4001 } });
    const [pool] = mysql.pools;
    const chains = joinReadings([
      { ...mysql, pools: pool === undefined ? [] : [{ ...pool, driver: 'mysql2' }] },
      server({ pid: 7, clientPort: 4001 }),
    ]);
    expect(chains[0]?.hops.at(-1)).toMatchObject({
      kind: 'broken',
      why: expect.stringContaining('no MySQL server is watched'),
    });
  });

  it('follows a lease of mysql2 to the connection of MySQL, whatever PostgreSQL has that number', () => {
    const mysql = application({ holder: { backendPid: 7, localPort: 4001 } });
    const [pool] = mysql.pools;
    const chains = joinReadings([
      { ...mysql, pools: pool === undefined ? [] : [{ ...pool, driver: 'mysql2' }] },
      server({ pid: 7, clientPort: 4001 }),
      { ...server({ pid: 7, clientPort: 4001 }), source: 'mysql://db/', kind: 'mysql' },
    ]);
    expect(chains[0]).toMatchObject({ backend: { source: 'mysql://db/' } });
  });

  it('names the leases at both ends of a wait, and what is not known of an end', () => {
    const chains = joinReadings([
      application({ holder: { backendPid: 7 } }),
      application({ holder: { backendPid: 8, leaseId: 2 } }),
      {
        ...empty('db'),
        server: SERVER,
        backends: [
          backend({ pid: 7 }),
          backend({ pid: 8, blockedBy: [7, 9, 10, 0] }),
          backend({ pid: 9, blockedBy: [7] }),
        ],
      },
    ]);
    expect(chains[0]?.blocks).toMatchObject([
      { pid: 8, lease: { holder: { leaseId: 2 } }, gap: null },
      { pid: 9, lease: null, gap: 'no application that is watched tells of a lease on it' },
    ]);
    expect(chains[1]?.blockedBy).toMatchObject([
      { pid: 7, lease: { holder: { leaseId: 1 } }, gap: null },
      { pid: 9, lease: null },
      { pid: 10, backend: null, gap: expect.stringContaining('autovacuum') },
      { pid: 0, backend: null, gap: expect.stringContaining('prepared transaction') },
    ]);
  });

  it('follows thousands of leases in no time to speak of', () => {
    const count = 5000;
    const clients = Array.from({ length: count }, (_, i) => ({ id: `c${i}`, port: i + 1, link: `s${i}` }));
    const servers = clients.map(({ id }, i) => ({
      id: `s${i}`,
      link: id,
      backendPid: i + 1,
      localPort: i + 1,
    }));
    const backends = clients.map((_, i) =>
      backend({ pid: i + 1, clientPort: i + 1, blockedBy: i === 0 ? [] : [1] }),
    );
    const holders = clients.map(({ port }, i) => ({ leaseId: i, localPort: port }));
    const chains = joinReadings([
      application({ holders }),
      pooler(clients, servers),
      { ...empty('db'), server: SERVER, backends },
    ]);
    expect(chains.filter(({ backend: end }) => end !== null)).toHaveLength(count);
    expect(chains[0]?.blocks).toHaveLength(count - 1);
  });
});

const SERVER = {
  version: '16',
  maxConnections: 9,
  reservedConnections: 3,
  usedConnections: 1,
  databases: [],
};

function empty(source: string): Reading {
  return {
    source,
    kind: 'pool',
    takenAtMs: 1,
    pools: [],
    backends: [],
    server: null,
    pooler: null,
    gaps: [],
  };
}

function application({
  holder,
  holders = [holder ?? {}],
}: {
  holder?: Partial<WatchedHolder>;
  holders?: readonly Partial<WatchedHolder>[];
}): Reading {
  const nothing = { longestWaitMs: null, longestHoldMs: null, createError: null, wait: null, hold: null };
  return {
    ...empty('app'),
    pools: [
      {
        ...{
          schema: 1,
          name: 'orders',
          driver: 'pg',
          takenAtMs: 1,
          size: 5,
          maxOverflow: 0,
          live: 1,
          idle: 0,
        },
        ...{ inUse: 1, waiting: 0, overflow: null, creating: null, peakWaiting: null, peakInUse: null },
        ...{ ...nothing, closed: false, counters: mapCounters(() => null) },
        app: { name: 'shop', pid: 1, host: 'here', node: 'v20', startedAtMs: 0 },
        holders: holders.map((one) => ({
          ...{ leaseId: 1, ageMs: 1, site: null, stack: null, leaked: false, lastSql: null, busy: null },
          ...{ localPort: null, backendPid: null, ...one },
        })),
      },
    ],
  };
}

function backend(more: Partial<Backend>): Backend {
  return {
    ...{ pid: 1, database: 'orders', user: 'app', application: null, clientAddress: null, clientPort: null },
    ...{ state: 'active', stateMs: 1, transactionMs: 1, queryMs: 1, connectedMs: 1, waitType: null },
    ...{ waitEvent: null, query: null, blockedBy: [], ...more },
  };
}

function server(one: Partial<Backend>, source = 'db'): Reading {
  return { ...empty(source), kind: 'postgres', server: SERVER, backends: [backend(one)] };
}

function pooler(
  clients: readonly Partial<PoolerClient>[],
  servers: readonly Partial<PoolerServer>[] = [],
): Reading {
  return {
    ...empty('bouncer'),
    kind: 'pgbouncer',
    pooler: {
      ...{ version: '1.18.0', pools: [], databases: [], maxClients: 100, usedClients: 1, config: {} },
      clients: clients.map((one) => ({
        ...{ id: 'c1', user: 'app', database: 'orders', application: null, state: 'active', address: null },
        ...{ port: null, waitMs: null, link: null, ...one },
      })),
      servers: servers.map((one) => ({
        ...{ id: 's1', user: 'app', database: 'orders', state: 'active', backendPid: null, localPort: null },
        ...{ link: null, ...one },
      })),
    },
  };
}
