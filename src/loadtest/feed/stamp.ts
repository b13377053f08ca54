import type { StampFacts, StampUnit } from './types.js';

/** The usual fields for the time of a tick, in order of search. */
export const STAMP_FIELDS = ['time', 'timestamp', 'ts', 't', 'T', 'E'] as const;

const UNIT_MS: Readonly<Record<Exclude<StampUnit, 'text'>, number>> = { s: 1000, ms: 1, us: 1e-3, ns: 1e-6 };

/**
 * Reads the timestamps of ticks. Field and unit are those of the first tick that has one. The size of a number gives
 * its unit: for any day of this century, it is in seconds, milliseconds, microseconds or nanoseconds since 1970.
 */
export class StampReader {
  readonly #wanted: string | null;
  #field: string | null = null;
  #unit: StampUnit = 'ms';
  #stamped = 0;
  #ahead = 0;
  #mostAheadMs: number | null = null;

  /** `field` null: the first of STAMP_FIELDS that a tick has. */
  constructor(field: string | null) {
    this.#wanted = field;
  }

  /** How old a tick is that came at this time, in ms; null if it carries no stamp. Never below 0. */
  ageMs(data: unknown, atMs: number): number | null {
    if (typeof data !== 'object' || data === null) return null;
    const fields = data as Readonly<Record<string, unknown>>;
    if (this.#field === null && !this.#find(fields)) return null;
    const stampedMs = timeOf(fields[this.#field ?? ''], this.#unit);
    if (stampedMs === null) return null;
    this.#stamped++;
    const age = atMs - stampedMs;
    if (age >= 0) return age;
    this.#ahead++;
    this.#mostAheadMs = Math.max(this.#mostAheadMs ?? 0, -age);
    return 0;
  }

  /** The detected field; null if no tick had a timestamp. */
  facts(): StampFacts | null {
    if (this.#field === null) return null;
    return {
      field: this.#field,
      unit: this.#unit,
      stamped: this.#stamped,
      ahead: this.#ahead,
      mostAheadMs: this.#mostAheadMs,
    };
  }

  #find(fields: Readonly<Record<string, unknown>>): boolean {
    for (const field of this.#wanted === null ? STAMP_FIELDS : [this.#wanted]) {
      const unit = unitOf(fields[field]);
      if (unit === null) continue;
      this.#field = field;
      this.#unit = unit;
      return true;
    }
    return false;
  }
}

/** null where it is no time of the years 2001 to 2286. */
function unitOf(value: unknown): StampUnit | null {
  if (typeof value === 'string') return Number.isNaN(Date.parse(value)) ? null : 'text';
  if (typeof value !== 'number') return null;
  if (value >= 1e9 && value < 1e10) return 's';
  if (value >= 1e12 && value < 1e13) return 'ms';
  if (value >= 1e15 && value < 1e16) return 'us';
  return value >= 1e18 && value < 1e19 ? 'ns' : null;
}

function timeOf(value: unknown, unit: StampUnit): number | null {
  if (unit === 'text') {
    const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
    return Number.isNaN(ms) ? null : ms;
  }
  return typeof value === 'number' ? value * UNIT_MS[unit] : null;
}
