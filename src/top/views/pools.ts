import type { PoolFact } from '../../diagnosis/facts.js';
import { type PoolSample, type Recent, recentOf } from '../../diagnosis/history.js';
import { shortRate, shortTime } from '../../diagnosis/words.js';
import { drawBar, drawSparkline } from '../../report/bar.js';
import type { Tone } from '../spans.js';
import type { Column, TableSpec } from '../table.js';
import { poolText } from '../words.js';

export interface PoolRow extends PoolFact {
  readonly recent: Recent;
  readonly samples: readonly PoolSample[];
}

export function poolRow(fact: PoolFact, samples: readonly PoolSample[] = []): PoolRow {
  return { ...fact, samples, recent: recentOf(samples) };
}

export const poolTable: TableSpec<PoolRow> = {
  name: 'pools',
  title: 'Pools',
  sort: { column: 'waiting', descending: true },
  key: ({ key }) => key,
  aged: ({ stale, ended }) => (ended ? 'ended' : stale ? 'stale' : null),
  open: ({ key, pool }) => ({ kind: pool.ib === undefined ? 'pool' : 'broker', pool: key }),
  empty: 'no pool of an application is read; start one with: poolctl run -- node app.js',
  columns: [
    {
      id: 'pool',
      title: 'POOL',
      rank: 1,
      width: 10,
      grow: 2,
      value: ({ pool }) => pool.name,
      text: ({ pool }, width, drawing) => poolText(pool.name, width, drawing),
      tone: () => 'name',
    },
    { id: 'application', title: 'APPLICATION', rank: 9, width: 11, grow: 1, value: ({ app }) => app },
    {
      id: 'used',
      title: 'USED',
      rank: 3,
      width: 10,
      grow: 2,
      value: shareOf,
      text(row, width, { unicode }) {
        const share = shareOf(row);
        return share === null ? '-' : drawBar(share, width, { unicode });
      },
      tone: fullTone,
    },
    { ...figure('inUse', 'IN USE', 2, 7), value: ({ pool }) => pool.inUse, text: inUseText, tone: fullTone },
    { ...figure('idle', 'IDLE', 6, 4), value: ({ pool }) => pool.idle },
    { ...figure('overflow', 'OVER', 7, 4), value: ({ pool }) => pool.overflow },
    {
      ...figure('waiting', 'WAIT', 2, 5),
      value: ({ pool }) => pool.waiting,
      tone: ({ pool }) => ((pool.waiting ?? 0) > 0 ? 'bad' : null),
    },
    duration('oldestWait', 'OLDEST', 5, ({ pool }) => pool.longestWaitMs),
    duration('p50', 'P50', 8, ({ recent }) => recent.waitP50Ms),
    duration('p95', 'P95', 6, ({ recent }) => recent.waitP95Ms),
    duration('p99', 'P99', 4, ({ recent }) => recent.waitP99Ms),
    {
      ...figure('acquires', 'ACQ/S', 5, 5),
      value: ({ recent }) => recent.acquiresPerSecond,
      text: ({ recent }) => shortRate(recent.acquiresPerSecond),
    },
    {
      ...figure('timeouts', 'T-OUT', 6, 5),
      value: ({ pool }) => pool.counters.timedOut,
      tone: ({ recent }) => ((recent.timeoutsPerSecond ?? 0) > 0 ? 'bad' : null),
    },
    duration('hold', 'HELD', 8, ({ pool }) => pool.longestHoldMs),
    {
      ...course('useCourse', 'IN USE, COURSE', 9),
      value: ({ pool }) => pool.inUse,
      text: ({ samples }, width, drawing) =>
        drawSparkline(
          samples.slice(-width).flatMap(({ inUse }) => inUse ?? []),
          drawing,
        ),
    },
    {
      ...course('waitCourse', 'WAITING, COURSE', 7),
      value: ({ pool }) => pool.waiting,
      text: ({ samples }, width, drawing) =>
        drawSparkline(
          samples.slice(-width).flatMap(({ waiting }) => waiting ?? []),
          drawing,
        ),
      tone: ({ pool }) => ((pool.waiting ?? 0) > 0 ? 'bad' : 'faint'),
    },
    {
      id: 'sizing',
      title: 'CHOSEN SIZE',
      rank: 5,
      width: 18,
      optional: true,
      value: ({ pool }) => pool.sizing?.size ?? null,
      text: ({ pool: { sizing } }) => (sizing === undefined ? '-' : `${sizing.size}: ${sizing.reason}`),
      tone: ({ pool }) => (pool.sizing?.reason === 'overload' ? 'warn' : null),
    },
    { id: 'driver', title: 'DRIVER', rank: 11, width: 7, value: ({ pool }) => pool.driver },
    { id: 'source', title: 'SOURCE', rank: 12, width: 12, grow: 1, value: ({ source }) => source },
  ],
};

function shareOf({ pool, capacity }: PoolFact): number | null {
  return pool.inUse === null || capacity === null || capacity === 0 ? null : pool.inUse / capacity;
}

function inUseText({ pool, capacity }: PoolFact): string {
  const inUse = pool.inUse ?? '-';
  return capacity === null ? String(inUse) : `${inUse}/${capacity}`;
}

function fullTone(row: PoolFact): Tone | null {
  const share = shareOf(row);
  if (share === null) return null;
  return share >= 1 ? 'bad' : share >= 0.8 ? 'warn' : 'good';
}

function figure(id: string, title: string, rank: number, width: number) {
  return { id, title, rank, width, align: 'right' } as const;
}

function course(id: string, title: string, rank: number) {
  return { id, title, rank, width: 15, grow: 1 } as const;
}

function duration(
  id: string,
  title: string,
  rank: number,
  value: (row: PoolRow) => number | null,
): Column<PoolRow> {
  return { ...figure(id, title, rank, 6), value, text: (row) => shortTime(value(row)) };
}
