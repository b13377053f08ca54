import { formatShare } from '../../base/units.js';
import { alterSystem, forEach, pass, warn } from '../outcome.js';
import { postgresSize, settingBytes, settingText } from '../postgres-settings.js';
import { memoryOf } from '../server-memory.js';
import type { Check } from '../types.js';

const NAME = 'effective_cache_size';
const [LEAST, WANTED, MOST] = [0.4, 0.6, 0.85];

export const cacheSize: Check = {
  id: 'cache-size',
  title: "effective_cache_size tells the planner about the server's memory",
  needs: ['postgres'],
  why:
    'The planner uses this value to weigh index scans. A wrong value makes queries slower, and slow ' +
    'queries hold connections longer.',
  details:
    'The setting reserves no memory. The usual value is between half and three quarters of the memory. The ' +
    `check passes from ${formatShare(LEAST, 0)} to ${formatShare(MOST, 0)}.`,
  run: forEach('postgres', (target, { options }) => {
    const memory = memoryOf(target, options);
    const bytes = settingBytes(target, NAME);
    const share = bytes / memory.bytes;
    const summary = `${postgresSize(bytes)} of ${memory.text} (${formatShare(share, 0)})`;
    const evidence = [settingText(target, NAME)];
    if (share >= LEAST && share <= MOST) return pass(summary, evidence);
    return warn(summary, evidence, {
      steps: alterSystem(target, {
        [NAME]: `${Math.max(1, Math.round((memory.bytes * WANTED) / 1024 ** 2))}MB`,
      }),
      risk: 'Query plans may change.',
    });
  }),
};
