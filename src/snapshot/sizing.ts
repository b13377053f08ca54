import { gauge } from './metric.js';
import {
  amount,
  type Made,
  metered,
  meteredBy,
  object,
  orNull,
  type Read,
  type Schema,
  word,
} from './schema.js';

/**
 * Why an adaptive pool has its size.
 * - `start`: nothing has been measured yet.
 * - `demand`: nobody waits, so a larger size would change nothing.
 * - `gain`: the last step up raised the throughput, or shortened the waits.
 * - `no-gain`: the last step up gained nothing.
 * - `no-loss`: the last step down lost nothing.
 * - `trying-larger`, `trying-smaller`: this size is being measured.
 * - `server-limit`: the server has refused more, or says that it allows no more.
 * - `overload`: the server was overloaded: 429, 503, or no answer in time.
 */
const SIZING_REASONS = [
  'start',
  'demand',
  'gain',
  'no-gain',
  'no-loss',
  'trying-larger',
  'trying-smaller',
  'server-limit',
  'overload',
] as const;

export type SizingReason = (typeof SIZING_REASONS)[number];

/** A newer version may have more: readers compare it with those they know, and must not rely on the others. */
const sizingReason = word(SIZING_REASONS) as Schema<SizingReason>;

/** The size that an adaptive pool has chosen. */
export const sizing = object({
  /** Resources, or requests, that may be in use at once now. */
  size: amount,
  min: metered(
    gauge('size_min', 'connections', 'The smallest size that an adaptive pool may choose.'),
    amount,
  ),
  max: metered(
    gauge('size_max', 'connections', 'The largest size that an adaptive pool may choose.'),
    amount,
  ),
  /** The most that the server allows, as far as it is known; null without a limit. */
  ceiling: metered(
    gauge('size_ceiling', 'connections', 'The largest size that the server of an adaptive pool allows.'),
    orNull(amount),
  ),
  /** The size between tries. */
  settled: amount,
  reason: meteredBy(
    'reason',
    gauge('sizing', 'yes or no', 'Why an adaptive pool has its size: 1 for the reason that holds.'),
    sizingReason,
  ),
  /** How often the settled size has changed its direction. */
  reversals: amount,
});

export interface Sizing extends Made<typeof sizing> {}
/** The same, as read from any version. */
export interface SizingReading extends Read<typeof sizing> {}
