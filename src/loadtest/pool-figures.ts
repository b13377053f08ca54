import type { RunSnapshot } from './api.js';
import type { PoolFigures, PoolInfo } from './result.js';

/** The settings of a pool that a load test is about. */
export function poolInfo(settings: Omit<PoolInfo, 'profile'>, profile: string | null = null): PoolInfo {
  const { size, maxOverflow, timeoutMs, recycleMs, prePing } = settings;
  return { profile, size, maxOverflow, timeoutMs, recycleMs, prePing };
}

/** The activity of a pool between two snapshots; null if there is no pool. Peaks are those since they were last reset. */
export function poolFigures(before: RunSnapshot | null, after: RunSnapshot | null): PoolFigures | null {
  if (after === null) return null;
  const since = (name: keyof RunSnapshot['counters']) => {
    const count = after.counters[name];
    return count === null ? null : count - (before?.counters[name] ?? 0);
  };
  return {
    name: after.name,
    size: after.size,
    maxOverflow: after.maxOverflow,
    acquired: since('acquired'),
    created: since('created'),
    createdBefore: before?.counters.created ?? 0,
    createFailed: since('createFailed'),
    destroyed: since('destroyed'),
    peakOverflow:
      after.size === null || after.peakInUse === null ? null : Math.max(0, after.peakInUse - after.size),
    peakInUse: after.peakInUse,
    peakWaiting: after.peakWaiting,
    waited: since('waited'),
    timedOut: since('timedOut'),
    recycled: since('recycled'),
    invalidated: since('invalidated'),
    pingFailed: since('pingFailed'),
    resetFailed: since('resetFailed'),
    leaked: since('leaked'),
  };
}
