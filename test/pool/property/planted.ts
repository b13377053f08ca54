import { type Defect, loadPlanted } from '../../helpers/planted.js';
import type { PoolClass } from './player.js';

/** The pool as it is in `src`, with a defect planted in a copy of it; null for a copy as it is. */
export async function loadPool(defect: Defect | null): Promise<PoolClass> {
  const { QueuePool } = await loadPlanted<{ QueuePool: PoolClass }>('pool/queue-pool.ts', defect, [
    'base',
    'pool',
  ]);
  return QueuePool;
}
