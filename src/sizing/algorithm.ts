import type { RecordedPool } from '../leases/recording.js';
import type { Algorithm } from './replay.js';

/** How the pool of each library opens and lends. Others are taken to be like generic-pool. */
const LIBRARIES: Readonly<Record<string, Omit<Algorithm, 'maxIdleMs'>>> = {
  poolctl: { connects: 'paced', lifo: false },
  pg: { connects: 'own', lifo: true },
  mysql2: { connects: 'own', lifo: true },
  tarn: { connects: 'shared', lifo: true },
};

export function algorithmOf({ library, maxIdleMs }: Pick<RecordedPool, 'library' | 'maxIdleMs'>): Algorithm {
  const known = LIBRARIES[library] ?? { connects: 'shared', lifo: false };
  return { ...known, maxIdleMs: typeof maxIdleMs === 'number' ? maxIdleMs : null };
}
