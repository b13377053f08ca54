import { formatDuration } from '../../base/units.js';
import { alterSystem, fail, forEach, pass } from '../outcome.js';
import { settingMs, settingText } from '../postgres-settings.js';
import type { Check } from '../types.js';

const NAME = 'idle_session_timeout';

export const idleSessionTimeout: Check = {
  id: 'idle-session-timeout',
  title: 'PostgreSQL does not end idle connections of a pool',
  needs: ['postgres'],
  why:
    'Connections in a pool are idle by design. If the server ends one, the pool does not notice, and the ' +
    'next user gets a broken connection. That mostly happens in quiet hours.',
  details:
    `${NAME} (PostgreSQL 14 and later) should be 0, its default, where pools or poolers connect. For people ` +
    `at psql, set it for their roles: ALTER ROLE ... SET ${NAME}.`,
  run: forEach('postgres', (target) => {
    const limitMs = settingMs(target, NAME);
    const evidence = [settingText(target, NAME)];
    if (limitMs === 0) return pass('the server keeps idle connections', evidence);
    return fail(`the server ends idle connections after ${formatDuration(limitMs)}`, evidence, {
      steps: alterSystem(target, { [NAME]: '0' }),
      risk:
        'Sessions that nobody closes stay until their client ends. Pools should have their own maximum idle ' +
        'time.',
    });
  }),
};
