import type { RecordedPool } from '../leases/recording.js';
import type { Algorithm } from './replay.js';

/** How the pool of each library opens and lends. Others are taken to be like generic-pool. */
const LIBRARIES: Readonly<Record<string, Pick<Algorithm, 'connects' | 'lifo' | 'pings'>>> = {
  poolctl: { connects: 'paced', lifo: false },
  pg: { connects: 'own', lifo: true },
  mysql2: { connects: 'own', lifo: true },
  mysqljs: { connects: 'own', lifo: false, pings: true },
  tarn: { connects: 'shared', lifo: true },
};

export function algorithmOf(
  pool: Pick<RecordedPool, 'library' | 'maxIdleMs' | 'checkIdleMs' | 'lifo'>,
): Algorithm {
  const known = LIBRARIES[pool.library] ?? { connects: 'shared', lifo: false };
  return {
    connects: known.connects,
    pings: known.pings === true,
    lifo: pool.lifo ?? known.lifo,
    maxIdleMs: finite(pool.maxIdleMs),
    checkIdleMs: finite(pool.checkIdleMs ?? null),
  };
}

function finite(limit: number | 'never' | null): number | null {
  return typeof limit === 'number' ? limit : null;
}
