import { formatDuration } from '../../base/units.js';
import { NEW_SESSIONS, setGlobal, variableNumber, variableText } from '../mysql-settings.js';
import { forEach, pass, skip, warn } from '../outcome.js';
import type { Check } from '../types.js';

export const mysqlIdleTransactionTimeout: Check = {
  id: 'mysql-idle-transaction-timeout',
  title: 'MariaDB ends transactions that nobody works on',
  needs: ['mysql'],
  why:
    'A transaction that some path of the code leaves open keeps its locks, and its connection, until somebody notices. This ' +
    'bounds the damage.',
  details: 'idle_transaction_timeout must be above 0. MySQL has nothing like it, and is skipped.',
  run: forEach('mysql', (target) => {
    if (!target.isMariaDb)
      return skip('MySQL has no idle_transaction_timeout: look with mysql-idle-transactions-now');
    const seconds = variableNumber(target, 'idle_transaction_timeout');
    const evidence = [variableText(target, 'idle_transaction_timeout')];
    if (seconds > 0) return pass(`it ends them after ${formatDuration(seconds * 1000)}`, evidence);
    return warn('a transaction may stay open for ever', evidence, {
      steps: setGlobal(target, 'idle_transaction_timeout', 300),
      risk: `${NEW_SESSIONS} Code that waits for something within a transaction, for longer than that, loses its connection.`,
    });
  }),
};
