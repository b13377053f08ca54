import type { PoolCounters } from '../snapshot/pool.js';

export type MutableCounters = { -readonly [K in keyof PoolCounters]: number };

export function newCounters(): MutableCounters {
  return {
    acquired: 0,
    released: 0,
    created: 0,
    createFailed: 0,
    destroyed: 0,
    overflowCreated: 0,
    waited: 0,
    timedOut: 0,
    aborted: 0,
    refused: 0,
    invalidated: 0,
    softInvalidated: 0,
    recycled: 0,
    pingFailed: 0,
    resetFailed: 0,
    detached: 0,
    leaked: 0,
    collected: 0,
    doubleReleased: 0,
    nested: 0,
  };
}
