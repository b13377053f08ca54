import { logEvents } from '../base/life-cycle-log.js';
import type { PoolEvents } from './events.js';
import type { QueuePool } from './queue-pool.js';

/**
 * Writes a line for each step in the life of the pool's resources (what SQLAlchemy's `echo_pool` does).
 * Returns the way to stop. Slots are numbered from 1; a slot that reconnects keeps its number.
 */
export function logLifeCycle<R>(pool: QueuePool<R>, write: (line: string) => void): () => void {
  return logEvents<PoolEvents<R>>(
    pool,
    {
      create: ({ slotId, tookMs }) => `#${slotId} created in ${ms(tookMs)}`,
      createFailed: ({ error, failures, retryInMs }) =>
        `create failed (${failures} in a row, next in ${ms(retryInMs)}): ${error.message}`,
      wait: ({ waiting }) => `${waiting} waiting`,
      acquire: ({ slotId, leaseId, waitedMs }) =>
        `#${slotId} acquired by lease ${leaseId}${waitedMs ? ` after ${ms(waitedMs)}` : ''}`,
      acquireTimeout: ({ error }) => `acquire timed out after ${ms(error.facts.waitedMs)}`,
      acquireAborted: ({ waitedMs }) => `acquire aborted after ${ms(waitedMs)}`,
      release: ({ slotId, leaseId, heldMs }) =>
        `#${slotId} released by lease ${leaseId}${heldMs === null ? '' : ` after ${ms(heldMs)}`}`,
      resetFailed: ({ slotId, error }) => `#${slotId} reset failed: ${error.message}`,
      invalidate: ({ slotId, soft, cause }) =>
        `#${slotId} invalidated${soft ? ' softly' : ''}${cause === null ? '' : `: ${cause.message}`}`,
      invalidateAll: ({ cause }) => `all older connections invalidated: ${cause.message}`,
      detach: ({ slotId }) => `#${slotId} detached`,
      destroy: ({ slotId, reason }) => `#${slotId} closed (${reason})`,
      destroyFailed: ({ error, reason }) => `closing failed (${reason}): ${error.message}`,
      leak: ({ leaseId, ageMs, site, count }) =>
        `lease ${leaseId} is out for ${ms(ageMs)}, acquired at ${site ?? 'a site not sampled'} (${count} so far)`,
      leakReturned: ({ leaseId, ageMs }) => `lease ${leaseId} was returned after all, after ${ms(ageMs)}`,
      collected: ({ leaseId, site }) =>
        `lease ${leaseId} was dropped unreleased, acquired at ${site ?? 'a site not sampled'}`,
      nested: ({ outerSite, innerSite }) =>
        `${innerSite ?? 'an acquire'} waits for a lease that its own flow holds since ${outerSite}`,
      doubleRelease: ({ leaseId, site }) =>
        `lease ${leaseId} was released twice${site === null ? '' : `, at ${site}`}`,
      close: ({ leasesLeft }) => (leasesLeft > 0 ? `closed, leases still out: ${leasesLeft}` : 'closed'),
    },
    write,
  );
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}
