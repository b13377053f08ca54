import { alterSystem, fail, forEach, pass } from '../outcome.js';
import { settingNumber, settingText } from '../postgres-settings.js';
import type { Check } from '../types.js';

const NAME = 'superuser_reserved_connections';
const LEAST = 3;
const WANTED = 5;

export const reservedConnections: Check = {
  id: 'reserved-connections',
  title: 'a superuser can still connect to PostgreSQL when pools use all connections',
  needs: ['postgres'],
  why: 'Without reserved places, nobody can log in to see who uses all connections, or to end one of them.',
  details:
    `${NAME} must be at least ${LEAST}, its default. ${WANTED} also leave room for a monitor and a backup. ` +
    'From PostgreSQL 16, reserved_connections does the same for roles with pg_use_reserved_connections.',
  run: forEach('postgres', (target) => {
    const evidence = [NAME, 'reserved_connections']
      .filter((name) => target.settings.has(name))
      .map((name) => settingText(target, name));
    const count = settingNumber(target, NAME);
    if (count >= LEAST) return pass(`${count} are reserved for superusers`, evidence);
    return fail(`only ${count} ${count === 1 ? 'is' : 'are'} reserved for superusers`, evidence, {
      steps: alterSystem(target, { [NAME]: String(WANTED) }),
      risk: `The restart ends all sessions. Applications then have ${WANTED - count} fewer connections.`,
    });
  }),
};
