import { formatMs } from '../../base/units.js';
import { backendText, queryText } from '../backend-text.js';
import { mysqlStep } from '../mysql-settings.js';
import { fail, forEach, known, pass, skip } from '../outcome.js';
import type { Check } from '../types.js';

/** Shorter waits are part of any work. */
const LEAST_MS = 1000;

export const mysqlLockWaitsNow: Check = {
  id: 'mysql-lock-waits-now',
  title: 'no session waits for a locked row at this moment',
  needs: ['mysql'],
  why: 'Waiting sessions hold their connections. A pool fills up behind one transaction that does not end.',
  details:
    'Lists row locks of InnoDB, from innodb_lock_waits or data_lock_waits, with waits longer than 1 s. ' +
    'Look at the session that waits for nobody. Table locks and GET_LOCK appear only in the states of ' +
    'sessions.',
  run: forEach('mysql', (target) => {
    if (!target.seesAll) return skip('needs the privilege PROCESS: see the check mysql-process-right');
    const { backends } = known(target.reading);
    const waiting = backends.filter(
      ({ blockedBy, queryMs }) => blockedBy.length > 0 && (queryMs ?? 0) >= LEAST_MS,
    );
    if (waiting.length === 0) return pass(`none of ${backends.length} sessions waits for a row`);
    const blocked = new Set(waiting.map(({ pid }) => pid));
    const heads = [...new Set(waiting.flatMap(({ blockedBy }) => blockedBy))].filter(
      (pid) => !blocked.has(pid),
    );
    const longest = Math.max(...waiting.map(({ queryMs }) => queryMs ?? 0));
    const shown = backends.filter(({ pid }) => heads.includes(pid) || blocked.has(pid)).slice(0, 10);
    return fail(
      `${waiting.length === 1 ? '1 session waits' : `${waiting.length} sessions wait`} for ${heads.length === 1 ? 'another' : 'others'}, up to ${formatMs(longest)}`,
      shown.map(
        (one) =>
          `${backendText(one)}, ${blocked.has(one.pid) ? `waits for ${one.blockedBy.join(', ')}` : `holds locks, ${one.state}`}: ${queryText(one)}`,
      ),
      {
        steps: heads.map((pid) => mysqlStep(target, `KILL ${pid}`)),
        risk:
          'The ids are those of this moment. The server rolls back uncommitted work of these sessions, and ' +
          'their clients see a broken connection.',
      },
    );
  }),
};
