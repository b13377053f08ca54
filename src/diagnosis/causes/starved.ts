import { connectFaultOf } from '../connect-error.js';
import type { PoolerPoolFact } from '../facts.js';
import type { Look } from '../types.js';

/** Pools of poolers whose clients wait while there is no server connection at all. */
export function starvedPools({ facts }: Look): readonly PoolerPoolFact[] {
  return facts.poolerPools.filter(
    ({ pool }) => pool.clientsWaiting > 0 && pool.serversActive + pool.serversIdle === 0,
  );
}

/**
 * The subjects that suffer if the server behind a pooler takes no connection: its pools, and pools that it refuses
 * for that reason.
 */
export function starvedKeys(look: Look): readonly string[] {
  const refused = look.facts.pools.filter(({ pool }) => {
    const fault = connectFaultOf(pool.createError, pool.observed?.createErrorCode ?? null);
    return fault === 'pooler-login' || fault === 'pooler-queue';
  });
  return [...starvedPools(look), ...refused].map(({ key }) => key);
}
