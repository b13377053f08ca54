import { formatDuration } from '../../base/units.js';
import { pass, warn } from '../outcome.js';
import { forEachPool, isOfConnections, setOption } from '../pools.js';
import type { Check } from '../types.js';

const WANTED_MS = 1_800_000;

export const poolRecycle: Check = {
  id: 'pool-recycle',
  title: 'connections are replaced when they are old',
  needs: ['pool'],
  why:
    'A connection that lives for ever keeps the memory that its backend has gathered, stays with the server that DNS ' +
    'named once, after a fail-over too, and is cut some day by whatever is between, in the middle of a query.',
  details: `Warns where connections are never replaced. Pools that cannot do it (mysql2, knex, generic-pool, Sequelize) are \
left out; so is SQLite, whose connections are files. The time of seed settings behind PgBouncer is ${formatDuration(WANTED_MS)}.`,
  run: forEachPool((pool) => {
    const limit = pool.setup?.recycleMs ?? null;
    const step = setOption(pool, 'recycleMs', WANTED_MS);
    if (limit === null || step === null || !isOfConnections(pool) || pool.driver === 'sqlite') return null;
    if (limit !== 'never') return pass(`after ${formatDuration(limit)}`);
    return warn('connections live for ever', [], {
      steps: [step],
      risk: 'Now and then a request waits for a new connection, a few milliseconds on the same network.',
    });
  }, 'no pool tells, or can do it'),
};
