import { brandOf } from '../pool/brand.js';
import type { WatchedSnapshot } from '../snapshot/pool.js';
import { hasMethods, isObject } from './hooking.js';
import type { WatchedPool } from './watched-pool.js';

/** A pool of any kind that says how it is doing in our words: feeds, HTTP, and whatever else has such a method. */
export interface SpeakingPool {
  snapshot(): WatchedSnapshot;
}

/**
 * Whether it has a `snapshot()` that answers with the fields of all pools. A pool of poolctl has a brand; any other object
 * is asked once.
 */
export function isSpeakingPool(value: object): value is SpeakingPool {
  if (brandOf(value) !== null) return true;
  if (!hasMethods(value, ['snapshot'])) return false;
  let answer: unknown;
  try {
    answer = (value as { snapshot(): unknown }).snapshot();
  } catch {
    return false;
  }
  return (
    isObject(answer) &&
    answer.schema === 1 &&
    typeof answer.name === 'string' &&
    typeof answer.driver === 'string' &&
    isObject(answer.counters) &&
    Array.isArray(answer.holders)
  );
}

export function speakingPool(pool: SpeakingPool, name: () => string): WatchedPool {
  return {
    get name() {
      return name();
    },
    get over() {
      const brand = brandOf(pool);
      if (brand !== null) return brand.isOver();
      const { closed, live } = pool.snapshot();
      return closed && live === 0;
    },
    snapshot: () => ({ ...pool.snapshot(), name: name() }),
  };
}
