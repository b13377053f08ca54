import { describe, expect, it } from 'vitest';
import { createDatabase } from '../../src/db/database.js';
import {
  hasPassed,
  parseThreshold,
  poolWorkload,
  runLoadTest,
  sessionWorkload,
} from '../../src/loadtest/index.js';
import { QueuePool } from '../../src/pool/queue-pool.js';

describe('a program of its own', () => {
  it('tests a database with sessions, which it keeps', async () => {
    await using db = createDatabase('sqlite::memory:', { mode: 'inline', name: 'shop' });
    await db.withSession((session) =>
      session.exec('CREATE TABLE orders (id INTEGER); INSERT INTO orders VALUES (7)'),
    );
    const seen: number[] = [];
    const result = await runLoadTest({
      workload: sessionWorkload(db, async (session, seq) => {
        const { rows } = await session.query<{ id: number }>('SELECT id + ? AS id FROM orders', [seq]);
        seen.push(rows[0]?.id ?? 0);
      }),
      model: { kind: 'closed', workers: 2 },
      iterations: 4,
      thresholds: [parseThreshold('success>=100%')],
    });
    expect(seen.sort()).toEqual([10, 7, 8, 9]);
    // The statements run in this thread, which may be full of them: then the times are not judged.
    const { band, notJudged } = result.verdict;
    expect(band).toBe(notJudged === undefined ? 'good' : null);
    expect(result).toMatchObject({
      workload: { name: 'own', target: 'shop', work: 'work of your own', inProcess: true },
      pool: {
        options: { profile: null, size: 1, maxOverflow: 0, timeoutMs: 10_000 },
        figures: { acquired: 4, peakInUse: 1 },
      },
      environment: { poolctl: null },
      client: { bottleneck: { sentence: expect.stringContaining('poolctl itself') } },
    });
    expect(hasPassed(result)).toBe(true);
    expect((await db.withSession((session) => session.query('SELECT id FROM orders'))).rows).toEqual([
      { id: 7 },
    ]);
  });

  it('tests a pool of anything, and has what its work throws counted', async () => {
    let made = 0;
    await using pool = new QueuePool({
      driver: { name: 'things', create: async () => ++made, destroy: () => {} },
      size: 2,
      maxOverflow: 1,
    });
    const words = { name: 'things', target: 'things', work: 'nothing much', simple: true };
    const result = await runLoadTest({
      workload: poolWorkload(
        pool,
        async (thing, seq) => {
          expect(thing).toBeLessThanOrEqual(3);
          if (seq % 2 === 1) throw Object.assign(new Error('odd'), { code: 'ERR_ODD' });
        },
        words,
      ),
      model: { kind: 'burst', size: 5, count: 2, intervalMs: 20 },
      client: null,
    });
    expect(result).toMatchObject({
      verdict: { band: 'bad' },
      workload: words,
      pool: { options: { size: 2, maxOverflow: 1 }, figures: { acquired: 10 } },
      measurements: { succeeded: 5, failed: 5, errors: [{ code: 'ERR_ODD', count: 5, example: 'odd' }] },
      client: { loopBusy: null, bottleneck: null },
    });
    expect(hasPassed(result)).toBe(false);
    expect(pool.snapshot()).toMatchObject({ inUse: 0, closed: false });
  });

  it('tests what has no pool at all', async () => {
    const { pool, measurements } = await runLoadTest({
      workload: {
        name: 'nothing',
        open: async () => ({
          description: { target: 'nowhere', work: 'nothing', simple: true, inProcess: true, statements: [] },
          iterate: async () => {},
          snapshot: () => null,
          close: async () => {},
        }),
      },
      model: { kind: 'closed', workers: 1 },
      iterations: 3,
    });
    expect(pool).toMatchObject({ options: { profile: null }, figures: null });
    expect(measurements).toMatchObject({ succeeded: 3, wait: { count: 0, meanMs: null } });
  });
});
