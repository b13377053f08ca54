import { formatDuration } from '../../base/units.js';
import { alterSystem, fail, forEach, pass } from '../outcome.js';
import { settingMs, settingText } from '../postgres-settings.js';
import type { Check } from '../types.js';

const NAME = 'idle_session_timeout';

export const idleSessionTimeout: Check = {
  id: 'idle-session-timeout',
  title: 'PostgreSQL does not cut connections that wait in a pool',
  needs: ['postgres'],
  why:
    'A connection in a pool is idle as a matter of course. The server that ends it does so without the pool knowing: the ' +
    'next one to use it gets a broken connection, mostly in the quiet hours.',
  details: `${NAME} (from PostgreSQL 14) should be 0, its default, where pools or poolers connect. For people at psql give \
it to their roles: ALTER ROLE ... SET ${NAME}.`,
  run: forEach('postgres', (target) => {
    const limitMs = settingMs(target, NAME);
    const evidence = [settingText(target, NAME)];
    if (limitMs === 0) return pass('idle connections are left alone', evidence);
    return fail(`idle connections are ended after ${formatDuration(limitMs)}`, evidence, {
      steps: alterSystem(target, { [NAME]: '0' }),
      risk: 'Sessions that nobody closes stay until their client ends; pools should have a maximum idle time of their own.',
    });
  }),
};
