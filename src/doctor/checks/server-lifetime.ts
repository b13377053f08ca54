import { formatDuration } from '../../base/units.js';
import { changeIni, fail, forEach, pass, warn } from '../outcome.js';
import { configLine, configMs } from '../pooler-facts.js';
import type { Check } from '../types.js';

const LEAST_MS = 60_000;
const WANTED_S = 3600;

export const serverLifetime: Check = {
  id: 'server-lifetime',
  title: 'PgBouncer uses its connections to the server again',
  needs: ['pgbouncer'],
  why:
    'Opening a connection costs the server a new process and a login, which takes longer than most queries. A pooler that ' +
    'replaces them all the time is slower than none.',
  details: `server_lifetime of 0 does not mean for ever: each connection is used once, and closed. It should be ${formatDuration(LEAST_MS)} at least; ${formatDuration(WANTED_S * 1000)} is the default. server_idle_timeout of 0 keeps idle ones.`,
  run: forEach('pgbouncer', (target) => {
    const lifeMs = configMs(target, 'server_lifetime');
    const evidence = ['server_lifetime', 'server_idle_timeout'].map((key) => configLine(target, key));
    if (lifeMs >= LEAST_MS) return pass(`they live for ${formatDuration(lifeMs)}`, evidence);
    const fix = {
      steps: changeIni(target, { server_lifetime: WANTED_S }),
      risk: 'Server processes keep the memory of what they have done, and changes of DNS are seen later.',
    };
    return lifeMs === 0
      ? fail('each connection is used once, and closed (server_lifetime is 0)', evidence, fix)
      : warn(`they are replaced after ${formatDuration(lifeMs)} already`, evidence, fix);
  }),
};
