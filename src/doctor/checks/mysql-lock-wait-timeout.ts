import { formatDuration } from '../../base/units.js';
import { NEW_SESSIONS, setGlobal, variableNumber, variableText } from '../mysql-settings.js';
import { forEach, pass, warn } from '../outcome.js';
import type { Check } from '../types.js';

/** What callers wait for a connection by default. */
const USUAL_POOL_MS = 30_000;

export const mysqlLockWaitTimeout: Check = {
  id: 'mysql-lock-wait-timeout',
  title: 'who waits for a row gives up before those who wait for a connection',
  needs: ['mysql'],
  uses: ['settings'],
  why:
    'A statement that waits for a row keeps its connection. If it waits for longer than callers of the pool do, one lock ' +
    'lets all of them fail, and the error names the pool instead of the lock.',
  details: `innodb_lock_wait_timeout must be below the time-out of the pool (--pool-timeout), and without that below \
${formatDuration(USUAL_POOL_MS)}. The server's default is 50 s.`,
  run: forEach('mysql', (target, { targets }) => {
    const lockMs = variableNumber(target, 'innodb_lock_wait_timeout') * 1000;
    const poolMs = targets.settings?.poolTimeoutMs ?? USUAL_POOL_MS;
    const evidence = [variableText(target, 'innodb_lock_wait_timeout')];
    const words = `a row is waited for up to ${formatDuration(lockMs)}`;
    if (lockMs < poolMs) return pass(words, evidence);
    return warn(`${words}, a connection ${formatDuration(poolMs)}`, evidence, {
      steps: setGlobal(
        target,
        'innodb_lock_wait_timeout',
        Math.max(1, Math.floor(Math.min(poolMs, 20_000) / 2000)),
      ),
      risk: `${NEW_SESSIONS} Statements that waited longer, and got their row, now fail with 1205: the application must try again.`,
    });
  }),
};
