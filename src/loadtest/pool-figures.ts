import type { PoolSnapshot } from '../pool/stats.js';
import type { PoolFigures, PoolInfo } from './types.js';

/** The settings of a pool that a load test is about. */
export function poolInfo(settings: Omit<PoolInfo, 'profile'>, profile: string | null = null): PoolInfo {
  const { size, maxOverflow, timeoutMs, recycleMs, prePing } = settings;
  return { profile, size, maxOverflow, timeoutMs, recycleMs, prePing };
}

/** What a pool did between two snapshots; null if there is no pool. Peaks are those since they were last reset. */
export function poolFigures(before: PoolSnapshot | null, after: PoolSnapshot | null): PoolFigures | null {
  if (after === null) return null;
  const since = (name: keyof PoolSnapshot['counters']) =>
    after.counters[name] - (before?.counters[name] ?? 0);
  return {
    name: after.name,
    size: after.size,
    maxOverflow: after.maxOverflow,
    acquired: since('acquired'),
    created: since('created'),
    createdBefore: before?.counters.created ?? 0,
    createFailed: since('createFailed'),
    destroyed: since('destroyed'),
    peakOverflow: after.size === null ? null : Math.max(0, after.peakInUse - after.size),
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
