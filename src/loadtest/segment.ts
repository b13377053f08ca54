import type { Segment } from './api.js';
import type { ModelInfo } from './result.js';

export const WHOLE: Segment = { index: 1, count: 1 };

/**
 * The global number of the local iteration `n` (both from 0). Numbers are dealt out in turn, so each part has its
 * arrivals at the times that they have in the whole, evenly between those of the others.
 */
export function numberOf({ index, count }: Segment, n: number): number {
  return n * count + index - 1;
}

/** How many of the numbers below `total` belong to the segment. The shares of all segments add up to `total`. */
export function shareOf(total: number, { index, count }: Segment): number {
  return Math.floor((total + count - index) / count);
}

/** How many of the numbers from `from` up to but not including `to` belong to the segment. */
export function shareBetween(from: number, to: number, segment: Segment): number {
  return shareOf(to, segment) - shareOf(from, segment);
}

/** The load of one segment. Its arrivals are those of the whole, so bursts and rates keep their schedule. */
export function partOf(model: ModelInfo, segment: Segment): ModelInfo {
  switch (model.kind) {
    case 'closed':
      return { ...model, workers: shareOf(model.workers, segment) };
    case 'burst':
      return model;
    case 'rate':
    case 'ramp':
      return { ...model, maxInFlight: shareOf(model.maxInFlight, segment) };
  }
}

/** Amounts of a load that are split between its segments. */
export interface Amounts {
  readonly workers: number | null;
  readonly iterations: number | null;
  readonly maxInFlight: number | null;
}

export function amountsOf(model: ModelInfo, iterations: number | null): Amounts {
  return {
    workers: model.kind === 'closed' ? model.workers : null,
    iterations,
    maxInFlight: model.kind === 'rate' || model.kind === 'ramp' ? model.maxInFlight : null,
  };
}
