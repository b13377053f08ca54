import { mergedDistribution } from '../distribution.js';
import type { HttpLoad, HttpPoolLoad } from './types.js';

/** More are not kept, as in a single run. */
const TRANSITIONS_KEPT = 100;

/** The figures of HTTP over several segments; null if no segment has any. */
export function mergeHttp(
  parts: readonly { readonly http: HttpLoad | null; readonly shiftMs: number }[],
): HttpLoad | null {
  const loads = parts.flatMap(({ http, shiftMs }) => (http === null ? [] : [{ http, shiftMs }]));
  const [first] = loads;
  if (first === undefined) return null;
  const statuses = new Map<number, number>();
  for (const { http } of loads) {
    for (const { status, count } of http.statuses) statuses.set(status, (statuses.get(status) ?? 0) + count);
  }
  return {
    engine: first.http.engine,
    statuses: [...statuses]
      .map(([status, count]) => ({ status, count }))
      .sort((a, b) => b.count - a.count || a.status - b.status),
    bytes: sum(loads.map(({ http }) => http.bytes)),
    pool: mergePools(
      loads.flatMap(({ http: { pool }, shiftMs }) => (pool === null ? [] : [{ pool, shiftMs }])),
    ),
    autocannon: null,
  };
}

function mergePools(
  parts: readonly { readonly pool: HttpPoolLoad; readonly shiftMs: number }[],
): HttpPoolLoad | null {
  const [first] = parts;
  if (first === undefined) return null;
  const pools = parts.map(({ pool }) => pool);
  const sent = sum(pools.map((pool) => pool.sent));
  const reused = sum(pools.map((pool) => (pool.reuseRatio ?? 0) * pool.sent));
  const times = (of: (pool: HttpPoolLoad) => HttpPoolLoad['connect']) => mergedDistribution(pools.map(of));
  return {
    unpooled: first.pool.unpooled,
    sent,
    reuseRatio: pools.every(({ reuseRatio }) => reuseRatio === null) || sent === 0 ? null : reused / sent,
    retried: sums(pools.map(({ retried }) => retried)),
    retriesDenied: sum(pools.map(({ retriesDenied }) => retriesDenied)),
    timeouts: sums(pools.map(({ timeouts }) => timeouts)),
    closed: sums(pools.map(({ closed }) => closed)),
    circuitRefused: sum(pools.map(({ circuitRefused }) => circuitRefused)),
    breakerBefore: first.pool.breakerBefore,
    transitions: parts
      .flatMap(({ pool, shiftMs }) => pool.transitions.map((one) => ({ ...one, atMs: one.atMs + shiftMs })))
      .sort((a, b) => a.atMs - b.atMs)
      .slice(0, TRANSITIONS_KEPT),
    transitionsInAll: sum(pools.map(({ transitionsInAll }) => transitionsInAll)),
    connect: times(({ connect }) => connect),
    tls: times(({ tls }) => tls),
    firstByte: times(({ firstByte }) => firstByte),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function sums<K extends string>(counts: readonly Readonly<Record<K, number>>[]): Record<K, number> {
  const keys = new Set(counts.flatMap((each) => Object.keys(each) as K[]));
  return Object.fromEntries(
    [...keys].map((key) => [key, sum(counts.map((each) => each[key] ?? 0))]),
  ) as Record<K, number>;
}
