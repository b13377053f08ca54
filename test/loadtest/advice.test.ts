import { describe, expect, it } from 'vitest';
import { advise, type Evidence } from '../../src/loadtest/advice.js';
import type { Bottleneck, PgBouncerFigures, PoolFigures, ServerFigures } from '../../src/loadtest/result.js';
import { judge } from '../../src/loadtest/verdict.js';
import { FIGURES, POOL, resultLike, UNSEEN } from './results.js';

interface Changes {
  readonly responsesMs?: readonly number[];
  readonly waitShare?: number;
  readonly errors?: Readonly<Record<string, number>>;
  readonly figures?: Partial<PoolFigures>;
  readonly limit?: Bottleneck['limit'];
  readonly otherCores?: number;
  readonly cores?: number;
  readonly server?: Partial<ServerFigures>;
  readonly partial?: Evidence['partial'];
}

/** A run of 2,000 iterations in which nothing is the matter, changed. */
function evidence(changes: Changes): Evidence {
  const {
    responsesMs = new Array<number>(2000).fill(10),
    waitShare = 0,
    errors = {},
    figures = {},
  } = changes;
  const { measurements } = resultLike({ responsesMs, waitShare, errors, elapsedMs: 10_000 });
  const quiet = { waited: 0, timedOut: 0, peakOverflow: 0, peakInUse: 8, destroyed: 0 };
  return {
    measurements,
    model: { kind: 'closed', workers: 50 },
    pool: { options: POOL, figures: { ...FIGURES, ...quiet, ...figures, name: 'sqlite' } },
    verdict: judge({ measurements, simple: true, model: { kind: 'closed', workers: 50 } }),
    workload: { inProcess: true },
    http: null,
    server: changes.server === undefined ? null : { ...UNSEEN, ...changes.server },
    partial: changes.partial ?? null,
    client: {
      loopBusy: 0.5,
      loopRan: 0.4,
      loopQueued: 0.1,
      loopDelayMeanMs: 0,
      loopDelayP99Ms: 0,
      loopDelayMaxMs: 0,
      cpuCores: 1,
      machineBusy: 0.5,
      otherCores: changes.otherCores ?? 0,
      cores: changes.cores ?? 2,
      bottleneck: { limit: changes.limit ?? 'target', sentence: '' },
    },
  };
}

const PGBOUNCER: PgBouncerFigures = {
  ...{ version: null, poolMode: 'transaction', poolSize: 8, clients: { most: 100, used: 2 }, samples: 9 },
  ...{ waiting: { mean: 3, most: 12 }, longestWaitMs: 20, transactions: 2000, waitMeanMs: 0 },
  ...{ serverActive: { mean: 8, most: 8 }, serverIdle: { mean: 0, most: 0 } },
};

const CROWDED = { waitShare: 0.9, figures: { waited: 1900, peakInUse: 30, peakOverflow: 20 } };

function backends(figures: Partial<NonNullable<ServerFigures['backends']>>): Partial<ServerFigures> {
  return { backends: { samples: 10, states: [], waits: [], ...figures } };
}

describe('advice', () => {
  it.each<[string, Changes, RegExp, string | null]>([
    ['a good run: more load', {}, /The pool held/, '--num-workers 100'],
    [
      'long waits: more connections',
      CROWDED,
      /wait 9\.00 ms .* served for 1\.00 ms.*More connections/,
      '--pool-size 30',
    ],
    [
      'long waits on full cores: fewer connections',
      { ...CROWDED, limit: 'processor' },
      /processor is full/,
      '--pool-size 4 --max-overflow 0',
    ],
    [
      'a full event loop: more processes',
      { ...CROWDED, limit: 'client' },
      /one event loop was full, and this machine has 2 cores/,
      '--processes auto',
    ],
    [
      'long waits for poolctl itself, on one core: less at once',
      { ...CROWDED, limit: 'client', cores: 1 },
      /event loop is full/,
      '--num-workers 25',
    ],
    ['time-outs: more connections', { figures: { timedOut: 3 } }, /More connections/, '--pool-size 30'],
    [
      'locked: how to begin a transaction',
      { errors: { SQLITE_BUSY: 2, ERR_POOL_TIMEOUT: 5 } },
      /2 iterations failed with SQLITE_BUSY.*BEGIN IMMEDIATE/,
      null,
    ],
    [
      'failures: their first message',
      { errors: { E_X: 1 } },
      /1 iteration failed with E_X.*failed with E_X/,
      null,
    ],
    [
      'overflow opened over and over: a larger pool',
      { figures: { peakOverflow: 5, peakInUse: 15, destroyed: 400 } },
      /400 connections beyond the pool size were closed/,
      '--pool-size 15',
    ],
    [
      'a pool of which little is used: a smaller one',
      { figures: { peakInUse: 3 } },
      /At most 3 of 10/,
      '--pool-size 3',
    ],
    [
      'few iterations: a longer run',
      { responsesMs: new Array(200).fill(10) },
      /slowest 2 of 200/,
      '--duration 10s',
    ],
    [
      'a pool that is larger than what the server has left: one that fits',
      { server: { connections: { most: 20, reserved: 3, used: 5, left: 12, narrowest: 'server' } } },
      /^The pool may open 30 connections, and the server has 12 left: max_connections is 20, 3 reserved, 5 in use\./,
      '--pool-size 12 --max-overflow 0',
    ],
    [
      'a pool that is larger than what PgBouncer takes',
      { server: { pgbouncer: { ...PGBOUNCER, clients: { most: 20, used: 4 } } } },
      /30 connections, and PgBouncer takes 16 more: max_client_conn is 20, 4 are connected/,
      null,
    ],
    [
      "long waits in PgBouncer: its own pool's size",
      { ...CROWDED, server: { pgbouncer: { ...PGBOUNCER, waitMeanMs: 5 } } },
      /waited 5\.00 ms in PgBouncer for one of its 8 server connections, up to 12 of them at once.*default_pool_size/,
      null,
    ],
    [
      'locks: what holds them',
      { ...CROWDED, server: backends({ waits: [{ event: 'Lock:transactionid', share: 0.8 }] }) },
      /waited for locks of others 80 % of the time \(Lock:transactionid\)/,
      null,
    ],
    [
      'open transactions: what happens in them',
      {
        server: backends({
          states: [
            { state: 'idle in transaction', mean: 6, most: 8 },
            { state: 'idle in transaction (aborted)', mean: 1, most: 2 },
            { state: 'idle', mean: 3, most: 8 },
          ],
        }),
      },
      /7\.0 of 10\.0 backends stood idle in an open transaction/,
      null,
    ],
    ['other programs: a quiet machine', { otherCores: 1.2 }, /Other programs used 1\.2 cores/, null],
  ])('on %s', (_, changes, text, options) => {
    const [first] = advise(evidence(changes));
    expect(first).toEqual({ text: expect.stringMatching(text), options });
  });

  it('is at most three things, the most important first', () => {
    const list = advise(
      evidence({
        ...CROWDED,
        errors: { E_X: 300 },
        otherCores: 1,
        figures: { ...CROWDED.figures, destroyed: 500 },
      }),
    );
    expect(list.map(({ text }) => text.slice(0, 14))).toEqual([
      '300 iterations',
      'Other programs',
      'Iterations wai',
    ]);
  });

  it('does not judge by what an interrupted run could not show', () => {
    expect(advise(evidence({ partial: 'interrupted', figures: { peakInUse: 1 } }))).toEqual([]);
  });
});
