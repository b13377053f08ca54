import { fail, forEach, pass, sqlStep } from '../outcome.js';
import { sqlName } from '../sql-text.js';
import type { Check } from '../types.js';

export const pgMonitor: Check = {
  id: 'pg-monitor',
  title: 'whoever watches PostgreSQL sees all sessions',
  needs: ['postgres'],
  why:
    'Without pg_monitor the states, queries and client ports of other users are hidden: a session that is idle in a ' +
    'transaction looks like no session at all, and other checks have to be skipped.',
  details:
    'The role of the address needs the rights of pg_read_all_stats, which pg_monitor has, and every superuser. It ' +
    'lets a role read statistics and settings, and no data.',
  run: forEach('postgres', (target) => {
    const { role, seesAll, isSuperuser } = target;
    if (seesAll) return pass(`${role} ${isSuperuser ? 'is a superuser' : 'has pg_read_all_stats'}`);
    return fail(`${role} sees its own sessions alone`, ['pg_read_all_stats: no'], {
      steps: [sqlStep(target, `GRANT pg_monitor TO ${sqlName(role)}`)],
      risk: 'It sees the texts of all queries then, with the constants that stand in them.',
    });
  }),
};
