import type { QueuePool } from './queue-pool.js';

/**
 * Writes a line for each step in the life of the pool's resources (what SQLAlchemy's `echo_pool` does).
 * Returns the way to stop. Slots are numbered from 1; a slot that reconnects keeps its number.
 */
export function logLifeCycle<R>(pool: QueuePool<R>, write: (line: string) => void): () => void {
  const say = (text: string): void => write(`pool '${pool.name}': ${text}`);
  const stops = [
    pool.on('create', ({ slotId, tookMs }) => say(`#${slotId} created in ${ms(tookMs)}`)),
    pool.on('createFailed', ({ error, failures, retryInMs }) =>
      say(`create failed (${failures} in a row, next in ${ms(retryInMs)}): ${error.message}`),
    ),
    pool.on('wait', ({ waiting }) => say(`${waiting} waiting`)),
    pool.on('acquire', ({ slotId, leaseId, waitedMs }) =>
      say(`#${slotId} acquired by lease ${leaseId}${waitedMs ? ` after ${ms(waitedMs)}` : ''}`),
    ),
    pool.on('acquireTimeout', ({ error }) => say(`acquire timed out after ${ms(error.facts.waitedMs)}`)),
    pool.on('acquireAborted', ({ waitedMs }) => say(`acquire aborted after ${ms(waitedMs)}`)),
    pool.on('release', ({ slotId, leaseId, heldMs }) =>
      say(`#${slotId} released by lease ${leaseId}${heldMs === null ? '' : ` after ${ms(heldMs)}`}`),
    ),
    pool.on('resetFailed', ({ slotId, error }) => say(`#${slotId} reset failed: ${error.message}`)),
    pool.on('invalidate', ({ slotId, soft, cause }) =>
      say(`#${slotId} invalidated${soft ? ' softly' : ''}${cause === null ? '' : `: ${cause.message}`}`),
    ),
    pool.on('invalidateAll', ({ cause }) => say(`all older connections invalidated: ${cause.message}`)),
    pool.on('detach', ({ slotId }) => say(`#${slotId} detached`)),
    pool.on('destroy', ({ slotId, reason }) => say(`#${slotId} closed (${reason})`)),
    pool.on('destroyFailed', ({ error, reason }) => say(`closing failed (${reason}): ${error.message}`)),
    pool.on('leak', ({ leaseId, ageMs, site, count }) =>
      say(
        `lease ${leaseId} is out for ${ms(ageMs)}, acquired at ${site ?? 'a site not sampled'} (${count} so far)`,
      ),
    ),
    pool.on('leakReturned', ({ leaseId, ageMs }) =>
      say(`lease ${leaseId} was returned after all, after ${ms(ageMs)}`),
    ),
    pool.on('collected', ({ leaseId, site }) =>
      say(`lease ${leaseId} was dropped unreleased, acquired at ${site ?? 'a site not sampled'}`),
    ),
    pool.on('nested', ({ outerSite, innerSite }) =>
      say(`${innerSite ?? 'an acquire'} waits for a lease that its own flow holds since ${outerSite}`),
    ),
    pool.on('doubleRelease', ({ leaseId, site }) =>
      say(`lease ${leaseId} was released twice${site === null ? '' : `, at ${site}`}`),
    ),
    pool.on('close', ({ leasesLeft }) =>
      say(leasesLeft > 0 ? `closed, leases still out: ${leasesLeft}` : 'closed'),
    ),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}
