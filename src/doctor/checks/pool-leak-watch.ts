import { formatDuration } from '../../base/units.js';
import { pass, warn } from '../outcome.js';
import { forEachPool, setOption } from '../pools.js';
import type { Check } from '../types.js';

export const poolLeakWatch: Check = {
  id: 'pool-leak-watch',
  title: 'somebody looks out for leaks',
  needs: ['pool'],
  why: 'Without it nobody learns which line of code keeps a lease, when the pool runs dry some night.',
  details:
    'Warns where the leak watch of a pool of ours is off. Those of other libraries are watched by poolctl itself. It ' +
    'costs about 1 % of a core at most.',
  run: forEachPool((pool) => {
    const limit = pool.setup?.leakAfterMs ?? null;
    if (limit === null) return null;
    if (limit !== 'never') return pass(`leases out for longer than ${formatDuration(limit)} are told`);
    const step = setOption(pool, 'leakWatch', true);
    return step === null
      ? null
      : warn('its leak watch is off', [], {
          steps: [step],
          risk: 'About a microsecond for each acquire, up to 1,000 of them in a second; beyond that a sample.',
        });
  }, 'no pool tells'),
};
