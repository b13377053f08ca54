import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  HEALTH_LIMITS,
  type HealthFigures,
  type HealthStatus,
  healthOf,
  worstStatus,
} from '../../src/health/health.js';
import { healthOfReading } from '../../src/health/of-reading.js';
import { createDatabase } from '../../src/index.js';
import type { PoolerReading } from '../../src/snapshot/pooler.js';
import type { Reading } from '../../src/snapshot/reading.js';
import { eventually } from '../helpers/eventually.js';

const figures = (given: Partial<HealthFigures> = {}): HealthFigures => ({
  ...{ name: 'default', size: 5, maxOverflow: 10, live: 5, idle: 3, inUse: 2, overflow: 0, waiting: 0 },
  ...{ longestWaitMs: null, createError: null, closed: false, counters: { timedOut: 0 }, holders: [] },
  ...given,
});

describe('the health of a pool', () => {
  it('is the object of the check that it replaces', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'poolctl-health-'));
    const db = createDatabase(`sqlite:${join(folder, 'a.db')}?mode=inline`, {
      name: 'default',
      size: 5,
      maxOverflow: 10,
    });
    const sessions = await Promise.all(Array.from({ length: 5 }, () => db.getDb()));
    await Promise.all(sessions.slice(0, 3).map((session) => session.close()));
    await eventually(() => db.pool.snapshot().idle === 3);
    const health = healthOf(db.pool.snapshot());
    expect(health).toEqual({
      pool_name: 'default',
      status: 'healthy',
      size: 5,
      checked_out: 2,
      checked_in: 3,
      overflow: 0,
      utilization_percent: 13.33,
      total_capacity: 15,
      ...{ waiting: 0, longest_wait_ms: null, leaked: 0, timed_out: null, reasons: [] },
    });
    expect(Object.keys(health).slice(0, 8).join(' ')).toBe(
      'pool_name status size checked_out checked_in overflow utilization_percent total_capacity',
    );
    await Promise.all(sessions.slice(3).map((session) => session.close()));
    await db.close();
    await rm(folder, { recursive: true });
  });

  it.each<[string, Partial<HealthFigures>, string, RegExp | null]>([
    ['at its limit of use', { inUse: 11, size: 15, maxOverflow: 0 }, 'healthy', null],
    ['above it', { inUse: 12 }, 'warning', /^12 of 15 in use \(warning above 75 %\)$/],
    ['full, and nobody waits', { inUse: 15, overflow: 10 }, 'warning', /^15 of 15 in use/],
    [
      'full, and one waits',
      { inUse: 15, waiting: 1 },
      'critical',
      /^15 of 15 in use \(critical above 90 %\)/,
    ],
    ['with somebody waiting', { waiting: 2, longestWaitMs: 3 }, 'warning', /^2 waiting \(warning above 0\)$/],
    [
      'with a long wait',
      { waiting: 1, longestWaitMs: 31_250 },
      'critical',
      /waited 31.3 s \(critical above 30 s\)/,
    ],
    ['with a wait that is just not too long', { waiting: 1, longestWaitMs: 5000 }, 'warning', /^1 waiting/],
    ['with a wait of seconds', { waiting: 1, longestWaitMs: 5001 }, 'warning', /waited 5 s/],
    [
      'with a wait that is just not critical',
      { waiting: 1, longestWaitMs: 30_000 },
      'warning',
      /waited 30 s/,
    ],
    [
      'just not critically full, and one waits',
      { inUse: 18, size: 20, maxOverflow: 0, waiting: 1 },
      'warning',
      /^18 of 20 in use \(warning/,
    ],
    [
      'with leaks',
      { holders: [{ leaked: true }, { leaked: false }] },
      'warning',
      /^1 lease out for too long/,
    ],
    ['that cannot connect', { live: 0, createError: 'refused' }, 'critical', /last connect failed: refused/],
    ['that could not connect once', { createError: 'refused' }, 'warning', /last connect failed: refused/],
    ['that is closed', { closed: true }, 'error', /it is closed/],
    ['whose use nobody reports', { live: null, inUse: null }, 'healthy', null],
    ['without a limit', { size: null, maxOverflow: null, inUse: 900 }, 'healthy', null],
    ['that may overflow without a limit', { maxOverflow: null, inUse: 900 }, 'healthy', null],
    ['of no places', { size: 0, maxOverflow: 0, inUse: 0 }, 'healthy', null],
  ])('%s', (_, given, status, reason) => {
    const health = healthOf(figures(given));
    expect(health.status).toBe(status);
    if (reason === null) expect(health.reasons).toEqual([]);
    else expect(health.reasons[0]).toMatch(reason);
  });

  it('uses no share of no places', () => {
    expect(healthOf(figures({ size: 0, maxOverflow: 0, inUse: 0 })).utilization_percent).toBeNull();
  });

  it('a feed is as full as its symbols are many, not its connections', () => {
    const feed = { symbols: 1500, capacity: 3000 };
    const given = { size: 3, maxOverflow: 0, live: 3, idle: 0, inUse: 3 };
    expect(healthOf(figures({ ...given, feed }))).toMatchObject({
      ...{ status: 'healthy', size: 3000, checked_out: 1500, checked_in: 1500, utilization_percent: 50 },
      ...{ total_capacity: 3000, leaked: null },
    });
    expect(healthOf(figures({ ...given, waiting: 7, feed: { symbols: 2990, capacity: 3000 } })).status).toBe(
      'critical',
    );
  });

  it('while nobody waits, nobody has waited for 0 ms', () => {
    expect(healthOf(figures({ waiting: 0, longestWaitMs: 0 })).longest_wait_ms).toBeNull();
    expect(healthOf(figures({ waiting: 1, longestWaitMs: 0 })).longest_wait_ms).toBe(0);
  });

  it('who does not look for leaks has not found none', () => {
    expect(healthOf(figures({ setup: { leakAfterMs: 'never' } })).leaked).toBeNull();
    expect(healthOf(figures({ setup: { leakAfterMs: 5 } })).leaked).toBe(0);
  });

  it('has limits of one’s own, and any can be none', () => {
    const limits = { utilization: { warning: null, critical: 0.1 }, waiting: { warning: 5, critical: 9 } };
    expect(healthOf(figures({ waiting: 5 }), { limits }).status).toBe('critical');
    expect(healthOf(figures({ waiting: 0 }), { limits })).toMatchObject({
      status: 'warning',
      reasons: ['2 of 15 in use (warning above 10 %)'],
    });
    expect(healthOf(figures({ inUse: 1, waiting: 6 }), { limits }).status).toBe('warning');
    // Without a warning of its own, what is critical warns only as long as nobody waits.
    expect(healthOf(figures({ inUse: 1, waiting: 1 }), { limits })).toMatchObject({ status: 'healthy' });
    const short = { waitMs: { warning: 500, critical: 1000 } };
    const waits = (longestWaitMs: number) =>
      healthOf(figures({ waiting: 1, longestWaitMs }), { limits: short }).reasons[0];
    expect(waits(999.6)).toMatch(/waited 1000 ms \(warning above 500 ms\)/);
    expect(waits(1000)).toMatch(/waited 1 s \(warning/);
    expect(waits(1001)).toMatch(/waited 1 s \(critical above 1 s\)/);
    const none = { warning: null, critical: null };
    const off = { utilization: none, waiting: none, waitMs: none, leaked: none, timedOut: none };
    expect(healthOf(figures({ inUse: 15, waiting: 99, longestWaitMs: 1e6 }), { limits: off }).status).toBe(
      'healthy',
    );
  });

  it('counts the time-outs since an earlier snapshot, unless the pool has begun anew', () => {
    const at = (timedOut: number | null) => figures({ counters: { timedOut } });
    expect(healthOf(at(7), { before: at(4) })).toMatchObject({
      ...{ status: 'warning', timed_out: 3 },
      reasons: ['3 timed out since the reading before (warning above 0)'],
    });
    expect(healthOf(at(7), { before: at(7) })).toMatchObject({ status: 'healthy', timed_out: 0 });
    expect(healthOf(at(2), { before: at(7) }).timed_out).toBeNull();
    expect(healthOf(at(null), { before: at(7) }).timed_out).toBeNull();
  });
});

it.each<[HealthStatus[], HealthStatus]>([
  [[], 'healthy'],
  [['healthy', 'warning', 'healthy'], 'warning'],
  [['warning', 'critical', 'warning'], 'critical'],
  [['error', 'critical'], 'error'],
])('of %j the worst is %s', (all, worst) => {
  expect(worstStatus(all.map((status) => ({ status })))).toBe(worst);
});

describe('the health of what is no pool of an application', () => {
  const reading = (part: Partial<Reading>): Reading => ({
    ...{ source: 'x', kind: 'pgbouncer', takenAtMs: 1, pools: [], backends: [], server: null, pooler: null },
    gaps: [],
    ...part,
  });
  const pooler = (part: Partial<PoolerReading>): PoolerReading => ({
    ...{
      version: '1.24.0',
      pools: [],
      clients: [],
      servers: [],
      maxClients: 100,
      usedClients: 3,
      config: {},
    },
    databases: [],
    ...part,
  });
  const database = {
    ...{ name: 'shop', size: 20, reserve: 5, paused: false, transactionsPerSecond: null },
    ...{ queriesPerSecond: null, waitMs: null, busy: null },
  };
  const pool = {
    ...{ database: 'shop', user: 'app', mode: 'transaction', clientsActive: 30, clientsWaiting: 0, size: 20 },
    ...{ serversActive: 19, serversIdle: 1, serversOther: 2, longestWaitMs: 0 },
  };

  it('PgBouncer: each pool, each database that has none yet, and its places for clients', () => {
    const unused = { ...database, name: 'ledger' };
    const healths = healthOfReading(
      reading({ pooler: pooler({ pools: [pool], databases: [database, unused] }) }),
      HEALTH_LIMITS,
    );
    expect(healths).toMatchObject([
      {
        ...{ pool_name: 'shop/app', status: 'warning', size: 20, checked_out: 21, checked_in: 1 },
        ...{ overflow: 2, total_capacity: 25, utilization_percent: 84, waiting: 0, timed_out: null },
      },
      { pool_name: 'ledger', status: 'healthy', checked_out: 0, total_capacity: 25 },
      { pool_name: 'clients', status: 'healthy', checked_out: 3, total_capacity: 100, waiting: null },
    ]);
    const capped = pooler({
      pools: [pool],
      databases: [database],
      config: { max_db_connections: '22' },
      usedClients: 100,
    });
    expect(healthOfReading(reading({ pooler: capped }), HEALTH_LIMITS)).toMatchObject([
      { total_capacity: 22, status: 'warning' },
      { pool_name: 'clients', status: 'critical', checked_in: 0 },
    ]);
  });

  it('PgBouncer: what it does not tell of its clients is no pool of theirs', () => {
    for (const part of [{ maxClients: null }, { usedClients: null }]) {
      const healths = healthOfReading(
        reading({ pooler: pooler({ pools: [pool], databases: [database], ...part }) }),
        HEALTH_LIMITS,
      );
      expect(healths.map(({ pool_name }) => pool_name)).toEqual(['shop/app']);
    }
    const [clients] = healthOfReading(reading({ pooler: pooler({}) }), HEALTH_LIMITS);
    expect(clients).toMatchObject({ pool_name: 'clients', checked_in: 97, overflow: 0, leaked: null });
  });

  it('PgBouncer: a pool has the reserve and the pause of its own database', () => {
    const other = { ...database, name: 'other', reserve: 0, paused: true };
    const [own] = healthOfReading(
      reading({ pooler: pooler({ pools: [{ ...pool, serversActive: 1 }], databases: [other, database] }) }),
      HEALTH_LIMITS,
    );
    expect(own).toMatchObject({ pool_name: 'shop/app', total_capacity: 25, status: 'healthy', reasons: [] });
  });

  it('a pool of which nobody reports the waiters: null, and its utilization alone decides', () => {
    const pool = {
      ...figures({ size: 10, maxOverflow: 0, inUse: 10, live: 10 }),
      ...{ idle: null, waiting: null },
    };
    expect(healthOf(pool)).toMatchObject({ status: 'critical', waiting: null, checked_in: null });
    expect(healthOf({ ...pool, inUse: 2 })).toMatchObject({ status: 'healthy', waiting: null });
  });

  it('clients that queue are critical, but not while the database is paused', () => {
    const queue = { ...pool, clientsWaiting: 40, longestWaitMs: 31_000 };
    const [busy] = healthOfReading(
      reading({ pooler: pooler({ pools: [queue], databases: [database] }) }),
      HEALTH_LIMITS,
    );
    expect(busy).toMatchObject({ status: 'critical', waiting: 40, longest_wait_ms: 31_000 });
    const paused = { ...queue, serversActive: 0, serversOther: 0 };
    const [still] = healthOfReading(
      reading({ pooler: pooler({ pools: [paused], databases: [{ ...database, paused: true }] }) }),
      HEALTH_LIMITS,
    );
    expect(still).toMatchObject({ status: 'warning', reasons: ['the database is paused'] });
  });

  it('a server: its connections less those that are reserved', () => {
    const server = { version: '17', maxConnections: 100, reservedConnections: 3, databases: [] };
    const of = (usedConnections: number | null) =>
      healthOfReading(reading({ kind: 'postgres', server: { ...server, usedConnections } }), HEALTH_LIMITS);
    expect(of(10)).toMatchObject([
      { pool_name: 'max_connections', status: 'healthy', checked_in: 87, total_capacity: 97, waiting: null },
    ]);
    expect(of(96)).toMatchObject([{ status: 'critical', overflow: 0 }]);
    expect(of(99)).toMatchObject([{ status: 'critical', overflow: 2, checked_in: 0 }]);
    expect(of(null)).toMatchObject([
      { status: 'healthy', checked_out: null, checked_in: null, overflow: null, utilization_percent: null },
    ]);
  });
});
