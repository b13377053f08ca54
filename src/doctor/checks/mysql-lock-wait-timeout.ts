import { formatDuration } from '../../base/units.js';
import { NEW_SESSIONS, setGlobal, variableNumber, variableText } from '../mysql-settings.js';
import { forEach, pass, warn } from '../outcome.js';
import type { Check } from '../types.js';

/** The usual time that callers wait for a connection. */
const USUAL_POOL_MS = 30_000;

export const mysqlLockWaitTimeout: Check = {
  id: 'mysql-lock-wait-timeout',
  title: 'a wait for a row times out before a wait for a connection',
  needs: ['mysql'],
  uses: ['settings'],
  why:
    'A statement that waits for a row holds its connection. If it waits longer than the callers of the ' +
    'pool do, one lock makes all of them fail. The error then names the pool instead of the lock.',
  details:
    'innodb_lock_wait_timeout must be below the timeout of the pool (--pool-timeout), or below ' +
    `${formatDuration(USUAL_POOL_MS)} if that is unknown. The server's default is 50 s.`,
  run: forEach('mysql', (target, { targets }) => {
    const lockMs = variableNumber(target, 'innodb_lock_wait_timeout') * 1000;
    const poolMs = targets.settings?.poolTimeoutMs ?? USUAL_POOL_MS;
    const evidence = [variableText(target, 'innodb_lock_wait_timeout')];
    const words = `a statement waits up to ${formatDuration(lockMs)} for a row`;
    if (lockMs < poolMs) return pass(words, evidence);
    return warn(`${words}, a caller ${formatDuration(poolMs)} for a connection`, evidence, {
      steps: setGlobal(
        target,
        'innodb_lock_wait_timeout',
        Math.max(1, Math.floor(Math.min(poolMs, 20_000) / 2000)),
      ),
      risk:
        `${NEW_SESSIONS} Statements that used to wait longer and got their row now fail with 1205. The ` +
        'application must retry them.',
    });
  }),
};
