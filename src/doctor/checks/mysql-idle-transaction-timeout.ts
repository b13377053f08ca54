import { formatDuration } from '../../base/units.js';
import { NEW_SESSIONS, setGlobal, variableNumber, variableText } from '../mysql-settings.js';
import { forEach, pass, skip, warn } from '../outcome.js';
import type { Check } from '../types.js';

export const mysqlIdleTransactionTimeout: Check = {
  id: 'mysql-idle-transaction-timeout',
  title: 'MariaDB ends abandoned transactions',
  needs: ['mysql'],
  why:
    'A transaction that a code path leaves open keeps its locks and its connection until somebody notices. ' +
    'This setting limits the damage.',
  details:
    'idle_transaction_timeout must be above 0. MySQL has no such setting, so the check is skipped there.',
  run: forEach('mysql', (target) => {
    if (!target.isMariaDb)
      return skip('MySQL has no idle_transaction_timeout: use the check mysql-idle-transactions-now');
    const seconds = variableNumber(target, 'idle_transaction_timeout');
    const evidence = [variableText(target, 'idle_transaction_timeout')];
    if (seconds > 0) return pass(`the server ends them after ${formatDuration(seconds * 1000)}`, evidence);
    return warn('a transaction may stay open forever', evidence, {
      steps: setGlobal(target, 'idle_transaction_timeout', 300),
      risk: `${NEW_SESSIONS} Code that waits longer than that within a transaction loses its connection.`,
    });
  }),
};
