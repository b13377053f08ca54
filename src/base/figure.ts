import { formatCount, formatMs, formatRate, formatShare } from './units.js';

/** The unit of a figure in a result. */
export type Unit = 'ms' | 'share' | 'count' | 'per-second' | 'factor';

/** A figure as people read it; null (not measured) is `-`. */
export function formatFigure(value: number | null, unit: Unit): string {
  switch (unit) {
    case 'ms':
      return formatMs(value);
    case 'share':
      return formatShare(value, 2);
    case 'count':
      return formatCount(value);
    case 'per-second':
      return formatRate(value);
    case 'factor':
      return value === null ? '-' : `x ${formatCount(value, 2)}`;
  }
}

/** The same, with `at least` before a figure that is a lower bound. */
export function boundedFigure({
  value,
  unit,
  atLeast = false,
}: {
  readonly value: number | null;
  readonly unit: Unit;
  readonly atLeast?: boolean;
}): string {
  return `${atLeast ? 'at least ' : ''}${formatFigure(value, unit)}`;
}
