import type { Slowdown } from './types.js';

/** Holds of leases with the number that was out on average meanwhile, itself included. */
export interface HoldSample {
  readonly count: number;
  readonly heldMs: Float64Array;
  readonly meanOut: Float64Array;
  readonly site: Int32Array;
}

/** Shorter holds are as long as the clock is fine. */
const LEAST_MS = 0.005;
const MOST_CELLS_OUT = 256;
/** Parts of the recording that are left out in turn. */
const PARTS = 10;
/** A slowdown over the whole range of the recording that is smaller than this is none. */
const LEAST_GROWTH = 0.05;
const T_95 = 2.26;

/**
 * Fits how holds grow with the leases out at once: not at all up to `freeUpTo`, then by `perLease` for each further one.
 * That is the shape of a server whose cores are shared (free up to its cores) and of leases that wait for one lock (free
 * up to one); see Gunther's law of scalability for the linear term. The fit is by least squares of the logarithm, with a
 * level for each call site. The interval is that of a delete-a-group jackknife over ten parts of the recording.
 */
export function fitSlowdown(sample: HoldSample): Slowdown {
  const cells = cellsOf(sample);
  const observedUpTo = Math.max(1, ...cells.map(({ out }) => out));
  const none = { freeUpTo: observedUpTo, perLease: 0, perLeaseInterval: [0, 0], observedUpTo } as const;
  const spread = new Set(cells.map(({ out }) => out)).size;
  if (sample.count < 100 || spread < 2) return { kind: 'unknown', ...none };
  const all = totals(cells, -1);
  const best = search(all, observedUpTo);
  const growth = best.perLease * (observedUpTo - best.freeUpTo);
  const parts = Array.from({ length: PARTS }, (_, part) => slopeAt(totals(cells, part), best.freeUpTo));
  const mean = parts.reduce((sum, slope) => sum + slope, 0) / PARTS;
  const deviation = Math.sqrt(
    ((PARTS - 1) / PARTS) * parts.reduce((sum, slope) => sum + (slope - mean) ** 2, 0),
  );
  const low = best.perLease - T_95 * deviation;
  if (growth < LEAST_GROWTH || low <= 0) return { kind: 'none', ...none };
  return {
    kind: 'measured',
    freeUpTo: best.freeUpTo,
    perLease: best.perLease,
    perLeaseInterval: [low, best.perLease + T_95 * deviation],
    observedUpTo,
  };
}

/** The curve of a slowdown: how many times longer a hold is while `n` leases are out. */
export function curveOf({ freeUpTo, perLease }: Pick<Slowdown, 'freeUpTo' | 'perLease'>) {
  return (n: number): number => 1 + perLease * Math.max(0, n - freeUpTo);
}

/** Leases of one site, one level and one part of the recording. */
interface Cell {
  readonly site: number;
  readonly out: number;
  readonly part: number;
  count: number;
  sum: number;
}

function cellsOf({ count, heldMs, meanOut, site }: HoldSample): Cell[] {
  const cells = new Map<number, Cell>();
  for (let at = 0; at < count; at++) {
    const out = Math.min(MOST_CELLS_OUT, Math.max(1, Math.round(2 * (meanOut[at] ?? 1)) / 2));
    const part = Math.floor((at / count) * PARTS);
    const key = ((site[at] ?? 0) * PARTS + part) * 1024 + out * 2;
    let cell = cells.get(key);
    if (cell === undefined) {
      cell = { site: site[at] ?? 0, out, part, count: 0, sum: 0 };
      cells.set(key, cell);
    }
    cell.count++;
    cell.sum += Math.log(Math.max(LEAST_MS, heldMs[at] ?? 0));
  }
  return [...cells.values()];
}

interface Totals {
  readonly site: Int32Array;
  readonly out: Float64Array;
  readonly count: Float64Array;
  readonly sum: Float64Array;
  readonly sites: number;
}

function totals(cells: readonly Cell[], without: number): Totals {
  const numbers = new Map<number, number>();
  const merged = new Map<number, { site: number; out: number; count: number; sum: number }>();
  for (const cell of cells) {
    if (cell.part === without) continue;
    const site = numbers.get(cell.site) ?? numbers.size;
    numbers.set(cell.site, site);
    const key = site * 1024 + cell.out * 2;
    const into = merged.get(key) ?? { site, out: cell.out, count: 0, sum: 0 };
    into.count += cell.count;
    into.sum += cell.sum;
    merged.set(key, into);
  }
  const list = [...merged.values()];
  return {
    site: Int32Array.from(list, ({ site }) => site),
    out: Float64Array.from(list, ({ out }) => out),
    count: Float64Array.from(list, ({ count }) => count),
    sum: Float64Array.from(list, ({ sum }) => sum),
    sites: numbers.size,
  };
}

function search(of: Totals, observedUpTo: number): { freeUpTo: number; perLease: number } {
  let best = { freeUpTo: observedUpTo, perLease: 0, error: errorOf(of, observedUpTo, 0) };
  const step = Math.max(1, Math.ceil(observedUpTo / 40));
  for (let freeUpTo = 1; freeUpTo < observedUpTo; freeUpTo += step) {
    const perLease = slopeAt(of, freeUpTo);
    const error = errorOf(of, freeUpTo, perLease);
    if (error < best.error) best = { freeUpTo, perLease, error };
  }
  return best;
}

/** The slope with the least error, by golden-section search of its logarithm. */
function slopeAt(of: Totals, freeUpTo: number): number {
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [Math.log(1e-4), Math.log(8)];
  let [one, other] = [high - ratio * (high - low), low + ratio * (high - low)];
  let [errorOne, errorOther] = [one, other].map((at) => errorOf(of, freeUpTo, Math.exp(at))) as [
    number,
    number,
  ];
  for (let i = 0; i < 24; i++) {
    if (errorOne < errorOther) {
      [high, other, errorOther] = [other, one, errorOne];
      one = high - ratio * (high - low);
      errorOne = errorOf(of, freeUpTo, Math.exp(one));
    } else {
      [low, one, errorOne] = [one, other, errorOther];
      other = low + ratio * (high - low);
      errorOther = errorOf(of, freeUpTo, Math.exp(other));
    }
  }
  return Math.exp((low + high) / 2);
}

/** The squared error between cells and curve, with the best level for each site; the error within cells is constant. */
function errorOf({ site, out, count, sum, sites }: Totals, freeUpTo: number, perLease: number): number {
  const curve = curveOf({ freeUpTo, perLease });
  const weight = new Float64Array(sites);
  const level = new Float64Array(sites);
  const rest = new Float64Array(site.length);
  for (let at = 0; at < site.length; at++) {
    const own = site[at] ?? 0;
    const n = count[at] ?? 0;
    const difference = (sum[at] ?? 0) / n - Math.log(curve(out[at] ?? 1));
    rest[at] = difference;
    weight[own] = (weight[own] ?? 0) + n;
    level[own] = (level[own] ?? 0) + n * difference;
  }
  let error = 0;
  for (let at = 0; at < site.length; at++) {
    const own = site[at] ?? 0;
    const off = (rest[at] ?? 0) - (level[own] ?? 0) / (weight[own] ?? 1);
    error += (count[at] ?? 0) * off * off;
  }
  return error;
}
