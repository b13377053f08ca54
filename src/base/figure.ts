import { formatCount, formatMs, formatRate, formatShare } from './units.js';

/** What a figure in a result is measured in. */
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
