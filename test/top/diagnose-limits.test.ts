import { describe, expect, it } from 'vitest';
import { Histogram } from '../../src/base/histogram.js';
import type { PoolReading } from '../../src/snapshot/reading.js';
import { bouncer, diagnosisAfter, diagnosisOf, leases, linked, many, postgres, queued } from './diagnosis.js';
import { backend, holder, pool, pooler, server, source } from './helpers.js';

type Holder = PoolReading['holders'][number];

/** Leases of one pool, with `waiting` behind them; nothing else is read. */
const dry = (holders: readonly Holder[], own: Partial<PoolReading> = {}) =>
  source({ pools: [pool({ waiting: 1, holders, ...own })] });
/** So many leases of each kind, with ids and ports of their own. */
const mixed = (...kinds: (readonly [count: number, own: Partial<Holder>])[]): Holder[] => {
  const all = kinds.flatMap(([count, own]) => many(count, () => own));
  return all.map((own, at) => holder({ leaseId: at + 1, localPort: 1000 + at, ...own }));
};
const short = { ageMs: 20, busy: true };
const slow = { ageMs: 1001, busy: true };
const leak = { ageMs: 41_000, busy: false };
const read = (...backends: Parameters<typeof backend>[0][]) =>
  source({ ...postgres, server: server(), backends: backends.map((own) => backend(own)) });

describe('leases in slow queries', () => {
  it.each<[string, Holder[], string | null]>([
    ['half of them', mixed([2, slow], [2, short]), 'slow-query'],
    ['fewer than half', mixed([2, slow], [3, short]), 'unclear'],
    ['queries of just 1 s', mixed([4, { ageMs: 1000, busy: true }]), 'unclear'],
    ['idle leases as old', mixed([4, { ageMs: 1001, busy: false }]), 'connection-held-through-other-work'],
  ])('are the cause if they are many: %s', (_, holders, cause) => {
    expect(diagnosisOf(dry(holders)).cause).toBe(cause);
  });

  it('are told with the commonest query, and the longest', () => {
    const holders = mixed(
      [1, { ...slow, ageMs: 9000, lastSql: 'rare' }],
      [2, { ...slow, lastSql: 'often' }],
      [1, short],
    );
    expect(diagnosisOf(dry(holders)).words).toMatch(/3 of 4 leases .*the longest 9\.0s: often;/);
    expect(diagnosisOf(dry(mixed([1, slow]))).words).toMatch(/the longest 1\.0s; 1 waiting/);
  });
});

describe('leases that wait for locks', () => {
  const lockAt = (at: number, blockedBy: number[]) => ({
    ...{ pid: 200 + at, clientPort: 1000 + at, waitType: 'Lock', blockedBy },
  });
  it.each<[string, number, number, number, string]>([
    ['half of those that work', 2, 2, 0, 'lock-chain-row'],
    ['fewer than half', 2, 3, 0, 'unclear'],
    ['half of those that are no leaks', 2, 2, 3, 'lock-chain-row'],
    ['fewer than half of those that are no leaks', 2, 3, 3, 'leak-missing-release'],
  ])('are the cause if they are %s', (_, waiting, working, leaks, cause) => {
    const holders = mixed([waiting + working, short], [leaks, leak]);
    const { cause: found, words } = diagnosisOf(
      dry(holders),
      read({ pid: 99, state: 'idle in transaction' }, ...many(waiting, (at) => lockAt(at, [99]))),
    );
    expect(found).toBe(cause);
    if (cause === 'lock-chain-row') expect(words).toContain(`${waiting} of ${holders.length} leases`);
  });

  it('name the backend at the end of the chain, and none where it is not seen or they wait in a ring', () => {
    const holders = mixed([2, short]);
    const of = (...backends: Parameters<typeof backend>[0][]) =>
      diagnosisOf(dry(holders), read(...backends)).words;
    expect(of({ pid: 99 }, lockAt(0, [99]), lockAt(1, [200]))).toContain('pid 99');
    expect(of(lockAt(0, [98]), lockAt(1, [98]))).not.toContain('pid');
    expect(of(lockAt(0, [201]), lockAt(1, [200]))).not.toContain('pid');
  });

  it('are a leak only if a leaked lease itself holds the lock', () => {
    const holders = mixed([3, short], [1, { ...leak, localPort: 999 }]);
    const waiters = many(3, (at) => lockAt(at, [99]));
    const of = (clientPort: number) =>
      diagnosisOf(dry(holders), read({ pid: 99, clientPort, state: 'idle in transaction' }, ...waiters))
        .cause;
    expect([of(999), of(5)]).toEqual(['transaction-left-open', 'lock-chain-row']);
  });
});

describe('leases that queue in the pooler', () => {
  const behind = (waiting: number, ...pools: Parameters<typeof pooler>[]) =>
    pools.map(([own = {}, queue = {}], at) =>
      source({
        ...bouncer,
        source: `pgb${at}`,
        pooler: pooler({ clients: queued(waiting, 800), ...own }, queue),
      }),
    );
  it.each<[string, number, number, string]>([
    ['half', 2, 4, 'pooler-pool-too-small'],
    ['fewer than half', 2, 5, 'unclear'],
  ])('are the cause if they are %s of them', (_, waiting, all, cause) => {
    expect(diagnosisOf(dry(mixed([all, short])), ...behind(waiting, [])).cause).toBe(cause);
  });

  it('wait for the servers of their own pool, if it is seen', () => {
    const of = (user: string, database = 'shop') =>
      diagnosisOf(dry(mixed([2, short])), ...behind(2, [{}, { user, database }])).words;
    expect(of('app')).toContain('4 server connections');
    expect(of('other')).not.toContain('server connection');
    expect(of('app', 'other')).not.toContain('server connection');
  });
});

describe('a queue in the pooler', () => {
  const waiting = { clientsWaiting: 16, longestWaitMs: 353 };
  const pgb = (own: Parameters<typeof pooler>[0], queue: Parameters<typeof pooler>[1] = waiting) =>
    source({ ...bouncer, pooler: pooler(own, queue) });

  it('is bad if the longest waits for more than 50 ms', () => {
    const of = (longestWaitMs: number) => diagnosisOf(pgb({}, { ...waiting, longestWaitMs })).severity;
    expect([of(50), of(51)]).toEqual(['good', 'bad']);
  });

  const database = {
    ...{ size: 4, reserve: 0, transactionsPerSecond: null, queriesPerSecond: null, waitMs: null, busy: null },
  };
  it('is a pause only of its own database, and bad from the start', () => {
    const of = (name: string, paused = true) =>
      diagnosisOf(pgb({ databases: [{ ...database, name, paused }] }, { ...waiting, longestWaitMs: 1 }));
    expect(of('shop')).toMatchObject({ severity: 'bad', words: expect.stringContaining('paused') });
    expect(of('other')).toMatchObject({ severity: 'good', words: expect.not.stringContaining('paused') });
    expect(of('shop', false).words).not.toContain('paused');
  });

  it('counts the servers that it has where no size is known', () => {
    const of = { ...waiting, size: null, serversActive: 3, serversIdle: 1, serversOther: 1 };
    expect(diagnosisOf(pgb({}, of)).words).toContain('5 server connections');
  });

  const idle = { state: 'idle in transaction', stateMs: 30_001 };
  it.each<[string, Parameters<typeof backend>[0][], string]>([
    ['leaks of half', [{ pid: 1, ...idle }, { pid: 2 }], 'transaction-left-open'],
    ['leaks of fewer', [{ pid: 1, ...idle }, { pid: 2 }, { pid: 3 }], 'pooler-pool-too-small'],
    [
      'no leak at just 30 s',
      [{ pid: 1, state: 'idle in transaction', stateMs: 30_000 }],
      'remote-call-in-transaction',
    ],
    ['slow queries of half', [{ pid: 1, queryMs: 1001 }, { pid: 2 }], 'slow-query'],
    ['slow queries of fewer', [{ pid: 1, queryMs: 1001 }, { pid: 2 }, { pid: 3 }], 'pooler-pool-too-small'],
    ['queries of just 1 s', [{ pid: 1, queryMs: 1000 }], 'pooler-pool-too-small'],
    ['queries of another user', [{ pid: 1, queryMs: 9000, user: 'other' }], 'pooler-pool-too-small'],
    ['queries in another database', [{ pid: 1, queryMs: 9000, database: 'other' }], 'pooler-pool-too-small'],
    ['locks of half', [{ pid: 1, waitType: 'Lock', blockedBy: [9] }, { pid: 2 }], 'lock-chain-row'],
    [
      'locks of fewer',
      [{ pid: 1, waitType: 'Lock', blockedBy: [9] }, { pid: 2 }, { pid: 3 }],
      'pooler-pool-too-small',
    ],
  ])('is explained by what its servers do: %s', (_, backends, cause) => {
    expect(diagnosisOf(pgb({}), read(...backends)).cause).toBe(cause);
  });

  it('looks at its own servers only, where they are known', () => {
    const servers = [linked(71), { ...linked(72), user: 'other' }];
    const of = (slowPid: number) =>
      diagnosisOf(
        pgb({ servers }),
        read(...[71, 72, 73].map((pid) => ({ pid, queryMs: pid === slowPid ? 9000 : 1 }))),
      ).cause;
    expect([of(71), of(72), of(73)]).toEqual([
      'slow-query',
      'pooler-pool-too-small',
      'pooler-pool-too-small',
    ]);
  });
});

describe('leaked leases', () => {
  const wordsOf = (...kinds: (readonly [number, Partial<Holder>])[]) =>
    diagnosisOf(dry(mixed(...kinds))).words;

  it('are told with the two places that have most of them', () => {
    const at = (site: string | null) => ({ ...leak, site });
    const a = at('/app/a.ts:1:1');
    const b = at('/app/b.ts:2:2');
    expect(wordsOf([1, at('/app/c.ts:3:3')], [2, b], [3, a], [1, at(null)])).toMatch(
      /7 of 7 leases .* by a\.ts:1 and b\.ts:2 and 2 elsewhere;/,
    );
    expect(wordsOf([1, a], [2, at(null)])).toMatch(/ by a\.ts:1 and 2 elsewhere;/);
    expect(wordsOf([1, a], [1, b])).toMatch(/ by a\.ts:1 and b\.ts:2;/);
    expect(wordsOf([2, at(null)])).not.toContain(' by ');
  });

  it('have been held for more than 30 s only if all of them have', () => {
    const young = { ageMs: 30_000, busy: false, leaked: true };
    expect(wordsOf([2, leak])).toContain('held > 30 s');
    expect(wordsOf([1, leak], [1, young])).not.toContain('held > 30 s');
    expect(wordsOf([1, { ...young, ageMs: null }])).not.toContain('held > 30 s');
    expect(wordsOf([1, { ...young, ageMs: 30_001 }])).toContain('held > 30 s');
  });

  it('are those of the pool itself', () => {
    const sick = pool({ name: 'sick', holders: mixed([2, leak]) });
    const { words } = diagnosisOf(source({ pools: [pool({ holders: mixed([3, short]) }), sick] }));
    expect(words).toMatch(/^sick: 2 of 2 leases/);
  });

  it('are told with those that they block', () => {
    const waiter = { waitType: 'Lock', blockedBy: [99] };
    const backends = [
      { pid: 99, clientPort: 1000, state: 'idle in transaction' },
      { pid: 1, ...waiter },
      { pid: 2, ...waiter },
    ];
    const { words } = diagnosisOf(dry(mixed([1, leak])), read(...backends));
    expect(words).toContain('they block 2 backends');
    expect(diagnosisOf(dry(mixed([1, leak])), read(...backends.slice(0, 1))).words).not.toContain('block');
  });
});

describe('a pool that cannot connect', () => {
  const failed = (own: Partial<PoolReading>) => source({ pools: [pool({ createError: 'boom', ...own })] });
  it.each<[string, ReturnType<typeof failed>, number, boolean]>([
    ['somebody waits', failed({ waiting: 1 }), 0, true],
    ['all is lent', failed({ holders: mixed([15, short]) }), 0, true],
    ['it still tries', failed({}), 1, true],
    ['nobody needs it', failed({ holders: mixed([14, short]) }), 0, false],
  ])('counts where %s', (_, one, failures, there) => {
    const { severity } = diagnosisAfter({ createFailed: -failures }, one);
    expect(severity).toBe(there ? 'bad' : 'good');
  });

  it('is told with what is open, and not with what is being opened', () => {
    const of = (own: Partial<PoolReading>) =>
      diagnosisAfter({ createFailed: -1 }, failed({ holders: mixed([3, short]), ...own })).words;
    expect(of({ live: 7, creating: 2 })).toContain('cannot grow beyond 5');
    expect(of({ live: 7, creating: null })).toContain('cannot grow beyond 7');
  });
});

describe('a pool that is too small', () => {
  const held = new Histogram();
  held.recordMs(21);
  const full = (own: Partial<PoolReading> = {}, age = 20) =>
    dry(mixed([15, { ageMs: age, busy: true }]), { longestHoldMs: age, ...own });

  it('says for how long its leases are held, where that is measured', () => {
    const hold = held.snapshot();
    expect(diagnosisAfter({ hold: new Histogram().snapshot() }, full({ hold })).words).toMatch(
      /held 21ms each/,
    );
    expect(diagnosisOf(full()).words).not.toContain('each');
  });

  it.each<[string, Parameters<typeof diagnosisAfter>, string | null]>([
    ['leases that come and go', [{}, full()], 'pool-too-small'],
    ['none that comes back', [{ released: 90 }, full()], 'unclear'],
    ['nobody counts those that come back', [{ released: null }, full()], 'unclear'],
    ['leases held for just 1 s', [{}, full({ longestHoldMs: 1000 })], 'unclear'],
    ['leases held for a bit less', [{}, full({ longestHoldMs: 999 })], 'pool-too-small'],
    ['room for more', [{}, full({ size: 20, creating: 0 })], 'unclear'],
  ])('is found out by %s', (_, [between, ...sources], cause) => {
    expect(diagnosisAfter(between, ...sources).cause).toBe(cause);
  });
});

describe('what is said where the cause is not clear', () => {
  it('counts what the leases do, the commonest first, and where the oldest comes from', () => {
    const oldest = { ageMs: 9000, busy: false, site: '/app/old.ts:1:1' };
    const holders = mixed([3, short], [1, { ageMs: 500, busy: false }], [1, { busy: null }], [1, oldest]);
    expect(diagnosisOf(dry(holders)).words).toMatch(
      /: 3 in queries, 2 idle, the oldest for 9\.0s, acquired at old\.ts:1/,
    );
    expect(diagnosisOf(dry(mixed([2, { ageMs: 9000, busy: null, site: null }]))).words).not.toContain(
      'acquired',
    );
  });

  it('says nothing of leases that nobody knows anything of', () => {
    expect(diagnosisOf(dry([], { longestHoldMs: null })).words).not.toMatch(/ages|oldest/);
    expect(diagnosisOf(dry(mixed([1, { ageMs: null }], [1, { busy: false }]))).words).not.toContain('ages');
    expect(diagnosisOf(dry(mixed([2, { ageMs: 5000, busy: null }]))).words).not.toContain('oldest');
  });

  it('has no capacity where there is no limit', () => {
    expect(diagnosisOf(dry(mixed([3, { busy: false }]), { size: null })).words).toContain(
      '3 in use, 1 waiting',
    );
  });
});

it('a pool that waits before a full server waits for that', () => {
  const of = (usedConnections: number) => [
    source({ ...postgres, source: 'other', server: server() }),
    source({ ...postgres, server: server({ usedConnections }) }),
  ];
  const waiting = dry(mixed([3, { ageMs: 5000, busy: false }]));
  expect(diagnosisOf(waiting, ...of(97))).toMatchObject({
    cause: 'fleet-exceeds-server',
    words: expect.stringMatching(/^orders: .*97 connections.*; 1 waiting/),
  });
  expect(diagnosisOf(waiting, ...of(96)).cause).toBe('connection-held-through-other-work');
});

describe('a server', () => {
  it('is full from its last connection for ordinary roles on', () => {
    const of = (usedConnections: number | null) =>
      diagnosisOf(source({ ...postgres, server: server({ usedConnections }) })).cause;
    expect([of(96), of(97), of(98), of(null)]).toEqual([
      'server-nearly-full',
      'fleet-exceeds-server',
      'fleet-exceeds-server',
      null,
    ]);
  });

  it('has transactions that leak after 30 s, told with the longest', () => {
    const idle = (pid: number, stateMs: number) => ({ pid, state: 'idle in transaction (aborted)', stateMs });
    expect(diagnosisOf(read(idle(1, 30_000))).cause).toBeNull();
    expect(diagnosisOf(read(idle(1, 31_000), idle(2, 50_000), idle(3, 40_000))).words).toMatch(
      /^3 transactions of api idle for up to 50s/,
    );
  });

  it('has lock waits that are long after 1 s, be they few, told with the longest', () => {
    const waits = (pid: number, queryMs: number) => ({ pid, waitType: 'Lock', blockedBy: [9], queryMs });
    const others = many(9, (at) => ({ pid: 20 + at }));
    expect(diagnosisOf(read(waits(1, 1000), ...others)).cause).toBeNull();
    expect(diagnosisOf(read(waits(1, 1001), waits(2, 9000), waits(3, 2000), ...others)).words).toMatch(
      /^3 of 12 backends .* up to 9\.0s/,
    );
  });
});

it('where nothing waits, what is there is counted', () => {
  const { words } = diagnosisOf(read({ pid: 1 }, { pid: 2, state: 'idle' }, { pid: 3, state: null }));
  expect(words).toMatch(/1 of 3 backends active$/);
  expect(words).not.toContain('pool');
  expect(diagnosisOf(source({ pools: [pool({ holders: leases(2) }), pool({ name: 'b' })] })).words).toMatch(
    /2 leases out of 2 pools$/,
  );
});

describe('a pool whose use no metric reports', () => {
  const unread = (own: Partial<PoolReading> = {}) => pool({ name: 'b', live: null, inUse: null, ...own });

  it('is not counted among those that are quiet', () => {
    const pools = [pool({ holders: leases(2) }), unread()];
    expect(diagnosisOf(source({ pools })).words).toMatch(
      /2 leases out of 1 pool, leases of 1 pool not known$/,
    );
    expect(diagnosisOf(source({ pools: [unread()] })).words).toBe(
      'nothing waits: leases of 1 pool not known',
    );
  });

  it('is never called full, and its queue is reported without a figure', () => {
    const { cause, words } = diagnosisOf(source({ pools: [unread({ waiting: 3 })] }));
    expect(cause).toBe('unclear');
    expect(words).toMatch(/leases not known, 3 waiting/);
    expect(words).not.toMatch(/null|NaN/);
  });
});
