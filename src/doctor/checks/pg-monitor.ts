import { fail, forEach, pass, sqlStep } from '../outcome.js';
import { sqlName } from '../sql-text.js';
import type { Check } from '../types.js';

export const pgMonitor: Check = {
  id: 'pg-monitor',
  title: 'the monitoring role sees all sessions of PostgreSQL',
  needs: ['postgres'],
  why:
    'Without pg_monitor, the states, queries and client ports of other users are hidden. An idle ' +
    'transaction is then invisible, and other checks are skipped.',
  details:
    "The target's role needs the rights of pg_read_all_stats. pg_monitor and every superuser have them. " +
    'They give access to statistics and settings, not to data.',
  run: forEach('postgres', (target) => {
    const { role, seesAll, isSuperuser } = target;
    if (seesAll) return pass(`${role} ${isSuperuser ? 'is a superuser' : 'has pg_read_all_stats'}`);
    return fail(`${role} sees only its own sessions`, ['pg_read_all_stats: no'], {
      steps: [sqlStep(target, `GRANT pg_monitor TO ${sqlName(role)}`)],
      risk: 'The role can then read the texts of all queries, including the constants in them.',
    });
  }),
};
