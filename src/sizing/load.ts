import { type Random, seededRandom } from '../base/random.js';
import { Fate, type RecordedPool } from '../leases/recording.js';
import { Concurrency } from './concurrency.js';
import type { Load } from './replay.js';
import { curveOf, fitSlowdown } from './slowdown.js';
import { startupEnd } from './startup.js';
import type { Excluded, Slowdown } from './types.js';

/** A recorded pool, ready to be replayed. */
export interface Workload {
  readonly count: number;
  readonly askedMs: Float64Array;
  readonly waitedMs: Float64Array;
  /** Acquires before the pool had opened its first connections, which are not among these. */
  readonly startup: { readonly acquires: number; readonly untilMs: number };
  /** Holds of the acquires. Leaks, outliers and acquires that gave up have a typical one. */
  readonly heldMs: Float64Array;
  readonly startMs: Float64Array;
  /** The call site of each acquire; those that were not looked at are spread over the ones that were. */
  readonly site: Int32Array;
  /** Holds with the leaks as they were; null where there are none. */
  readonly leakingMs: Float64Array | null;
  readonly excluded: readonly Excluded[];
  readonly reserved: number;
  readonly slowdown: Slowdown;
  readonly out: Concurrency;
}

/** A lease that is out at the end, and for this many times longer than any other, does not come back. */
const LEAK_TIMES = 5;
const LEAST_LEAK_MS = 1000;
const SEED = 7;

export function workloadOf(pool: RecordedPool, durationMs: number): Workload {
  const { leases } = pool;
  const fromMs = startupEnd(pool, durationMs);
  const random = seededRandom(SEED);
  const kinds = kindsOf(pool);
  // Leases that are out on purpose need a connection each, and no queue.
  const rows = Int32Array.from(
    Array.from({ length: leases.count }, (_, at) => at).filter(
      (at) => kinds[at] !== 'reserved' && (leases.askedMs[at] ?? 0) > fromMs,
    ),
  );
  const pick = (from: Float64Array) => Float64Array.from(rows, (at) => from[at] ?? 0);
  const askedMs = pick(leases.askedMs);
  const waitedMs = pick(leases.waitedMs);
  const raw = pick(leases.heldMs);
  const site = imputeSites(
    Int32Array.from(rows, (at) => leases.site[at] ?? 0),
    raw,
    random,
  );
  const kind = Array.from(rows, (at) => kinds[at] ?? 'ordinary');
  const typical = typicalHolds(raw, site, kind);
  const heldMs = Float64Array.from(raw, (held, at) =>
    kind[at] === 'ordinary' ? held : typical(site[at] ?? 0, random),
  );
  const hasLeaks = kind.some((one) => one === 'leak' || one === 'outlier');
  const leakingMs = hasLeaks
    ? Float64Array.from(heldMs, (held, at) =>
        kind[at] === 'leak' ? Number.POSITIVE_INFINITY : kind[at] === 'outlier' ? (raw[at] ?? 0) : held,
      )
    : null;
  const startMs = askedMs.map((asked, at) => asked + (waitedMs[at] ?? 0));
  const ordinary = Int32Array.from(rows.keys()).filter((at) => kind[at] === 'ordinary');
  const starts = Float64Array.from(ordinary, (at) => startMs[at] ?? 0);
  const ends = Float64Array.from(ordinary, (at) => (startMs[at] ?? 0) + (raw[at] ?? 0));
  const out = new Concurrency(starts, ends);
  const level = out.integral((n) => n);
  const slowdown = fitSlowdown({
    count: ordinary.length,
    heldMs: Float64Array.from(ordinary, (at) => raw[at] ?? 0),
    meanOut: Float64Array.from(ordinary, (_, i) => {
      const [start, end] = [starts[i] ?? 0, ends[i] ?? 0];
      return end > start ? (level(end) - level(start)) / (end - start) : 1;
    }),
    site: Int32Array.from(ordinary, (at) => site[at] ?? 0),
  });
  return {
    startup: {
      acquires: leases.askedMs.filter((asked) => asked <= fromMs).length,
      untilMs: Math.max(0, fromMs),
    },
    ...{ count: rows.length, askedMs, waitedMs, heldMs, startMs, site, leakingMs, slowdown, out },
    excluded: excludedOf(pool, kinds),
    reserved: kinds.filter((one) => one === 'reserved').length,
  };
}

/** The work of every acquire under a slowdown curve, so that a replay at the recorded size repeats the recorded holds. */
export function loadOf(
  { count, askedMs, startMs, heldMs, leakingMs, out }: Workload,
  slowdown: Pick<Slowdown, 'freeUpTo' | 'perLease'>,
  { growth = 1, leaks = false }: { growth?: number; leaks?: boolean } = {},
): Load {
  const holds = leaks ? (leakingMs ?? heldMs) : heldMs;
  const curve = curveOf(slowdown);
  const done = out.integral((n) => 1 / curve(n));
  const workMs =
    slowdown.perLease === 0
      ? holds
      : holds.map((held, at) => {
          const start = startMs[at] ?? 0;
          return held === Number.POSITIVE_INFINITY ? held : done(start + held) - done(start);
        });
  return { count, arrivalMs: growth === 1 ? askedMs : askedMs.map((asked) => asked / growth), workMs };
}

/** The same with the work of one call site halved. */
export function halved({ site }: Workload, load: Load, of: number): Load {
  return { ...load, workMs: load.workMs.map((work, at) => (site[at] === of ? work / 2 : work)) };
}

type LeaseKind = 'ordinary' | 'leak' | 'outlier' | 'reserved' | 'unserved';

function kindsOf({ leases, leakAfterMs }: RecordedPool): LeaseKind[] {
  const { count, fate, heldMs } = leases;
  const limit = typeof leakAfterMs === 'number' ? leakAfterMs : Number.POSITIVE_INFINITY;
  let longest = 0;
  for (let at = 0; at < count; at++) {
    const held = heldMs[at] ?? 0;
    if (fate[at] === Fate.Returned && held < limit && held > longest) longest = held;
  }
  const lost = Math.min(limit, Math.max(LEAST_LEAK_MS, LEAK_TIMES * longest));
  return Array.from({ length: count }, (_, at) => {
    const held = heldMs[at] ?? 0;
    switch (fate[at]) {
      case Fate.OnPurpose:
        return 'reserved';
      case Fate.GaveUp:
        return 'unserved';
      case Fate.Out:
        return held >= lost ? 'leak' : 'ordinary';
      default:
        return held >= limit ? 'outlier' : 'ordinary';
    }
  });
}

/** A hold of an acquire that was not seen to have an ordinary one: that of another acquire of the same call site. */
function typicalHolds(
  held: Float64Array,
  site: Int32Array,
  kind: readonly LeaseKind[],
): (of: number, random: Random) => number {
  const bySite = new Map<number, number[]>();
  const all: number[] = [];
  for (let at = 0; at < held.length; at++) {
    if (kind[at] !== 'ordinary') continue;
    const own = bySite.get(site[at] ?? 0) ?? [];
    own.push(held[at] ?? 0);
    bySite.set(site[at] ?? 0, own);
    all.push(held[at] ?? 0);
  }
  return (of, random) => {
    const own = bySite.get(of) ?? all;
    return own[Math.floor(random() * own.length)] ?? 0;
  };
}

/**
 * Gives call sites (0: not looked at) to the acquires that have none, by how long they held: in proportion to the sites of
 * those that held for about as long and were looked at, an even sample.
 */
function imputeSites(site: Int32Array, heldMs: Float64Array, random: Random): Int32Array {
  const known = new Map<number, number[]>();
  const bin = (held: number) => Math.round(2 * Math.log2(held + 0.01));
  for (let at = 0; at < site.length; at++) {
    if (site[at] === 0) continue;
    const key = bin(heldMs[at] ?? 0);
    const own = known.get(key) ?? [];
    own.push(site[at] ?? 0);
    known.set(key, own);
  }
  if (known.size === 0) return site;
  return site.map((one, at) => {
    if (one !== 0) return one;
    const own = known.get(bin(heldMs[at] ?? 0));
    return own === undefined ? 0 : (own[Math.floor(random() * own.length)] ?? 0);
  });
}

function excludedOf({ leases, sites }: RecordedPool, kinds: readonly LeaseKind[]): Excluded[] {
  const found = new Map<
    string,
    { site: string | null; kind: Excluded['kind']; count: number; longestMs: number }
  >();
  for (const [at, kind] of kinds.entries()) {
    if (kind !== 'leak' && kind !== 'outlier') continue;
    const site = sites[leases.site[at] ?? 0] ?? null;
    const key = `${kind}\n${site}`;
    const entry = found.get(key) ?? { site, kind, count: 0, longestMs: 0 };
    entry.count++;
    entry.longestMs = Math.max(entry.longestMs, leases.heldMs[at] ?? 0);
    found.set(key, entry);
  }
  return [...found.values()].sort((one, other) => other.count - one.count);
}
