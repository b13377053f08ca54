import { formatFigure } from '../../base/figure.js';
import type { Criterion, Verdict } from '../result.js';
import { criterion, worstBand } from '../verdict.js';
import type { FeedMeasurements, FeedServerFigures, Subscribing } from './types.js';

/** The facts behind the verdict. */
export interface FeedJudged {
  readonly measurements: FeedMeasurements;
  readonly subscribing: Subscribing;
  /** Symbols confirmed when the measurement was over. */
  readonly live: number;
  readonly server: FeedServerFigures | null;
}

/**
 * A feed is good if every requested symbol is subscribed in the end, ticks arrive, none is lost, and their p99 latency
 * is below 500 ms (bad above 1 s), the same limits as for the response time of a query. The worst criterion decides.
 */
export function judgeFeed({ measurements, subscribing, live, server }: FeedJudged): Verdict {
  const { latency, stamp, ticks } = measurements;
  const lost = measurements.lost.reduce((sum, { count }) => sum + count, 0);
  const criteria = [
    criterion({
      id: 'symbols',
      title: 'symbols subscribed',
      unit: 'share',
      value: subscribing.asked === 0 ? null : live / subscribing.asked,
      good: 'at 100 %',
      bad: 'below 95 %',
      bandOf: (share) => (share >= 1 ? 'good' : share < 0.95 ? 'bad' : 'marginal'),
    }),
    criterion({
      id: 'ticks',
      title: 'ticks',
      unit: 'count',
      value: ticks,
      good: 'above 0',
      bad: 'at 0',
      bandOf: (count) => (count > 0 ? 'good' : 'bad'),
    }),
    criterion({
      id: 'latency',
      title: 'latency p99',
      unit: 'ms',
      value: latency?.p99Ms ?? null,
      good: 'below 500 ms',
      bad: 'above 1 s',
      bandOf: (ms) => (ms < 500 ? 'good' : ms > 1000 ? 'bad' : 'marginal'),
      why:
        stamp === null
          ? 'ticks carry no stamp'
          : stamp.ahead > stamp.stamped / 100
            ? 'the clock of the feed is ahead of ours'
            : null,
    }),
    criterion({
      id: 'lost',
      title: 'lost connections',
      unit: 'count',
      value: lost,
      good: 'at 0',
      bandOf: (count) => (count === 0 ? 'good' : 'marginal'),
    }),
    criterion({
      id: 'delivered',
      title: 'delivered',
      unit: 'share',
      value: server === null || server.sent === 0 ? null : server.received / server.sent,
      good: 'at 100 %',
      bad: 'below 99 %',
      bandOf: (share) => (share === 1 ? 'good' : share < 0.99 ? 'bad' : 'marginal'),
      why: server === null ? 'the feed cannot be asked' : null,
    }),
  ];
  const band = worstBand(criteria);
  return { band, reason: reasonOf(band, criteria, measurements), criteria };
}

function reasonOf(
  band: Verdict['band'],
  criteria: readonly Criterion[],
  { symbolsHeard, ticksPerSecond, latency }: FeedMeasurements,
): string {
  if (band === 'good') {
    const isKnown = criteria.find(({ id }) => id === 'latency')?.band !== null;
    const young =
      latency === null || !isKnown ? '' : `, 99 % of them younger than ${formatFigure(latency.p99Ms, 'ms')}`;
    return `Every symbol is subscribed; ${formatFigure(ticksPerSecond, 'per-second')} of ${formatFigure(symbolsHeard, 'count')} symbols came${young}.`;
  }
  const reasons = criteria
    .filter((each) => each.band === band)
    .map(({ title, value, unit, bounds }) => `${title} ${formatFigure(value, unit)} (${bounds})`);
  return `${reasons.join('; ')}.`;
}
