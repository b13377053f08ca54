import type { OptionShape } from '../base/option-shape.js';

/** The bounds of a pool that chooses its size by measurement. */
export interface AdaptiveSizing {
  /** Default 1. */
  readonly min?: number;
  /** Default: the most that the pool could open with a fixed size. */
  readonly max?: number;
}

export const SIZING_SHAPE = {
  fields: { min: 'number', max: 'number' },
  or: ['string'],
} as const satisfies OptionShape[string];

export interface SizeBounds {
  readonly min: number;
  readonly max: number;
  readonly start: number;
}

/** The sizes that a fixed pool of the same options would have. */
export interface FixedSizes {
  readonly size: number;
  /** Infinity without a limit. */
  readonly limit: number;
  readonly least: number;
}

/** The bounds, null for a fixed size, or the problem with the option as a text. */
export function sizeBounds(
  given: 'fixed' | 'adaptive' | AdaptiveSizing | undefined,
  { size, limit, least }: FixedSizes,
): SizeBounds | null | string {
  if (given === undefined || given === 'fixed') return null;
  if (typeof given === 'string' && given !== 'adaptive')
    return `sizing must be 'fixed', 'adaptive' or { min, max }, got the text '${given as string}'`;
  const { min = Math.max(1, least), max = limit } = given === 'adaptive' ? {} : given;
  if (!Number.isSafeInteger(min) || min < 1) return `sizing.min must be a whole number from 1, got ${min}`;
  if (max === Number.POSITIVE_INFINITY && limit === max)
    return 'an adaptive size needs sizing: { max } where the pool has no limit';
  if (!Number.isSafeInteger(max) || max < min)
    return `sizing.max must be a whole number from sizing.min (${min}), got ${max}`;
  if (least > min) return `minIdle must not be above sizing.min (${min}), got ${least}`;
  return { min, max, start: Math.min(max, Math.max(min, size)) };
}
