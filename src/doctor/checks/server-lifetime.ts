import { formatDuration } from '../../base/units.js';
import { changeIni, fail, forEach, pass, warn } from '../outcome.js';
import { configLine, configMs } from '../pooler-facts.js';
import type { Check } from '../types.js';

const LEAST_MS = 60_000;
const WANTED_S = 3600;

export const serverLifetime: Check = {
  id: 'server-lifetime',
  title: 'PgBouncer reuses its connections to the server',
  needs: ['pgbouncer'],
  why:
    'A new connection costs the server a process and a login, which takes longer than most queries. A ' +
    'pooler that replaces connections all the time is slower than none.',
  details:
    'server_lifetime = 0 means that PgBouncer uses each connection once, then closes it. It should be at ' +
    `least ${formatDuration(LEAST_MS)}; the default is ${formatDuration(WANTED_S * 1000)}. ` +
    'server_idle_timeout = 0 keeps idle connections.',
  run: forEach('pgbouncer', (target) => {
    const lifeMs = configMs(target, 'server_lifetime');
    const evidence = ['server_lifetime', 'server_idle_timeout'].map((key) => configLine(target, key));
    if (lifeMs >= LEAST_MS) return pass(`they live for ${formatDuration(lifeMs)}`, evidence);
    const fix = {
      steps: changeIni(target, { server_lifetime: WANTED_S }),
      risk: 'Server processes keep their memory longer, and PgBouncer sees DNS changes later.',
    };
    return lifeMs === 0
      ? fail('PgBouncer uses each connection once (server_lifetime is 0)', evidence, fix)
      : warn(`PgBouncer replaces connections after only ${formatDuration(lifeMs)}`, evidence, fix);
  }),
};
