import { formatShare } from '../../base/units.js';
import type { Comparison, MetricChange, Shift } from '../../loadtest/compare.js';

export const SHIFT_WORDS: Readonly<Record<Shift, string>> = {
  better: 'better',
  worse: 'worse',
  same: 'none shown',
};

/** The result of a comparison, in a sentence. */
export function reasonOf({ metrics, regressions, tolerance }: Comparison): string {
  const allowed = `tolerance of ${formatShare(tolerance, Number.isInteger(tolerance * 100) ? 0 : 1)}`;
  if (regressions.length > 0) {
    const worse = metrics
      .filter(({ regressed }) => regressed)
      .map((metric) => `${metric.title} ${changeWords(metric)}`);
    return `${worse.join(', ')}: beyond the ${allowed}`;
  }
  const told = metrics.filter(({ shift }) => shift !== null);
  const untold = metrics.find(({ shift }) => shift === null);
  const but = untold === undefined ? '' : `; ${untold.title} is not judged: ${untold.why}`;
  const better = told.filter(({ shift }) => shift === 'better').length;
  const worse = told.filter(({ shift }) => shift === 'worse').length;
  if (better + worse === 0) return `no difference shown${but}`;
  const counts = `${better === 1 ? '1 figure' : `${better} figures`} better, ${worse} worse`;
  return `throughput, responses and failures are no worse than the ${allowed} allows: ${counts}${but}`;
}

/** `+12.3 %`; for shares the difference in percentage points. */
export function changeWords({ change, unit }: Pick<MetricChange, 'change' | 'unit'>): string {
  return change === null ? '-' : signed(change, unit);
}

export function intervalWords({ interval, unit }: MetricChange): string {
  return interval === null
    ? ''
    : `${signed(interval[0], unit).replace(/ .*$/, '')} to ${signed(interval[1], unit)}`;
}

function signed(change: number, unit: MetricChange['unit']): string {
  const sign = change > 0 ? '+' : change < 0 ? '-' : '';
  const size = Math.abs(change);
  const points = unit === 'share';
  const text = formatShare(size, points ? 2 : size < 0.1 ? 1 : 0);
  const told = points ? text.replace(' %', ' pt') : text;
  return told.startsWith('<') ? told : `${sign}${told}`;
}
