import { formatDuration } from '../../base/units.js';
import { pass, warn } from '../outcome.js';
import { forEachPool, isOfConnections, setOption } from '../pools.js';
import type { Check } from '../types.js';

const WANTED_MS = 1_800_000;

export const poolRecycle: Check = {
  id: 'pool-recycle',
  title: 'the pool replaces old connections',
  needs: ['pool'],
  why:
    'A connection that lives forever keeps the memory of its backend, and stays with the old server after ' +
    'a failover. One day the network cuts it in the middle of a query.',
  details:
    'Warns if the pool never replaces connections. Pools without that option (mysql2, knex, generic-pool, ' +
    `Sequelize) are skipped, and so is SQLite. Behind PgBouncer, ${formatDuration(WANTED_MS)} is the usual ` +
    'value.',
  run: forEachPool((pool) => {
    const limit = pool.setup?.recycleMs ?? null;
    const step = setOption(pool, 'recycleMs', WANTED_MS);
    if (limit === null || step === null || !isOfConnections(pool) || pool.driver === 'sqlite') return null;
    if (limit !== 'never') return pass(`after ${formatDuration(limit)}`);
    return warn('connections live forever', [], {
      steps: [step],
      risk: 'Now and then a request waits for a new connection, a few milliseconds on the same network.',
    });
  }, 'no pool reports it or supports it'),
};
